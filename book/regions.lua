-- regions.lua - stop when a region in the sources is doubled, unclosed, or
-- shown by no page.  Run by pandoc on an empty document (see book.mk).
local code = dofile("book/code.lua")
local list = pandoc.system.list_directory

local shown = {} -- path#name
for _, name in ipairs(list("book")) do
    if name:match("%.md$") then
        for line in io.lines("book/" .. name) do
            for target in line:gmatch('include="([^"]+)"') do shown[target] = true end
        end
    end
end

local wrong = {}
local function complain(path, line, what)
    wrong[#wrong + 1] = path .. ":" .. line .. ": " .. what
end

local folders = list("chapters")
table.sort(folders)
for _, folder in ipairs(folders) do
    local ok, names = pcall(list, "chapters/" .. folder)
    for _, name in ipairs(ok and names or {}) do
        local path = "chapters/" .. folder .. "/" .. name
        if name:match("%.[ch]$") then
            local regions, mistakes = code.regions(path)
            local seen = {}
            for _, mistake in ipairs(mistakes) do
                complain(path, mistake[1], mistake[2])
            end
            for _, region in ipairs(regions) do
                if seen[region.name] then
                    complain(path, region.line, 'region "' .. region.name ..
                        '" already stands in line ' .. seen[region.name])
                elseif not shown[path .. "#" .. region.name] then
                    complain(path, region.line, 'region "' .. region.name ..
                        '" is shown by no page')
                end
                seen[region.name] = region.line
            end
        end
    end
end

if #wrong > 0 then
    io.stderr:write(table.concat(wrong, "\n"), "\n")
    os.exit(1)
end
return {}
