-- regions.lua - stop when a region in the sources is doubled, unclosed, or
-- shown by no page.  Run by pandoc on an empty document, with two lists of
-- files as metadata: pages and sources (see book.mk).
local code = dofile("book/code.lua")

local wrong = {}
local function complain(path, line, what)
    wrong[#wrong + 1] = path .. ":" .. line .. ": " .. what
end

-- What the pages show: { ["path#name"] = true }
local function shown_by(pages)
    local shown = {}
    for page in pages:gmatch("%S+") do
        for line in io.lines(page) do
            for target in line:gmatch('include="([^"]+)"') do shown[target] = true end
        end
    end
    return shown
end

local function check(path, shown)
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
        seen[region.name] = seen[region.name] or region.line
    end
end

function Meta(meta)
    local shown = shown_by(pandoc.utils.stringify(meta.pages))
    for path in pandoc.utils.stringify(meta.sources):gmatch("%S+") do
        check(path, shown)
    end
    if #wrong > 0 then
        io.stderr:write(table.concat(wrong, "\n"), "\n")
        os.exit(1)
    end
end
