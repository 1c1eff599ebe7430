-- code.lua - find a function or a region in a source file.
--
--   code.find(path, name)  -> { first, last, lines } or nil, "what is wrong"
--   code.regions(path)     -> { { name, line }... }, { "what is wrong"... }
--   code.language(path)    -> the class that pandoc colours it with
--
-- A function begins with the comment above its head and ends with the brace
-- in column one.  A region stands between "region: NAME" and
-- "endregion: NAME", each in a comment on a line of its own.  When no function
-- and no region has the name, a table or a struct of that name is taken.
local code = {}

local MARK = "^%s*[/#*-]+%s*(%a*region):%s*([%w_-]+)%s*%*?/?%s*$"

local cache = {}

local function lines_of(path)
    if cache[path] == nil then
        local file = io.open(path, "r")
        if not file then return nil end
        local lines = {}
        for line in file:lines() do lines[#lines + 1] = line end
        file:close()
        cache[path] = lines
    end
    return cache[path]
end

-- The first line of the comment that ends just above line n; else n.
local function with_comment(lines, n)
    local above = lines[n - 1]
    if not above or above:match(MARK) or not above:match("%*/%s*$") then
        return n
    end
    for i = n - 1, 1, -1 do
        if lines[i]:match("^/%*") then return i end
        if lines[i] == "" then return n end
    end
    return n
end

local function last_line(lines, n)
    for i = n + 1, #lines do
        if lines[i]:match("^}") then return i end
    end
    return #lines
end

-- The line where the head of the function begins whose brace is line n.
local function head_line(lines, n)
    local i = n
    while i > 1 do
        local above = lines[i - 1]
        if above == "" or above:match("[;}]%s*$") or above:match("%*/%s*$") or
            above:match("^[#/]") then break end
        i = i - 1
    end
    return i
end

local function functions_of(lines)
    local found = {}
    for n, line in ipairs(lines) do
        if line:match("^{%s*$") then
            local head = head_line(lines, n)
            local text = table.concat(lines, " ", head, n - 1)
            local name = text:gsub("__attribute__%s*%b()", "")
                :match("([%a_][%w_]*)%s*%(")
            if name then
                found[#found + 1] = {
                    name = name,
                    first = with_comment(lines, head),
                    last = last_line(lines, n),
                }
            end
        end
    end
    return found
end

local function regions_of(lines)
    local found, wrong, open = {}, {}, {}
    for n, line in ipairs(lines) do
        local what, name = line:match(MARK)
        if what == "region" then
            local region = { name = name, line = n, first = n + 1 }
            if open[name] then
                wrong[#wrong + 1] = { n, 'region "' .. name .. '" is opened twice' }
            end
            open[name] = region
            found[#found + 1] = region
        elseif what == "endregion" then
            if not open[name] then
                wrong[#wrong + 1] = { n, 'endregion "' .. name .. '" without its region' }
            else
                open[name].last = n - 1
                open[name] = nil
            end
        end
    end
    for name, region in pairs(open) do
        wrong[#wrong + 1] = { region.line, 'region "' .. name .. '" is never closed' }
    end
    return found, wrong
end

local function tables_of(lines, wanted)
    local found = {}
    for n, line in ipairs(lines) do
        if line:match("^[%a_].*{%s*$") and
            line:match("%f[%w_]" .. wanted .. "%f[^%w_][%w%s%[%]=_]*{%s*$") then
            found[#found + 1] = {
                name = wanted,
                first = with_comment(lines, n),
                last = last_line(lines, n),
            }
        end
    end
    return found
end

-- Lines first to last without markers, moved left as far as they go.
local function cut(lines, first, last)
    local out, indent = {}, math.huge
    for i = first, last do
        if not lines[i]:match(MARK) then
            out[#out + 1] = lines[i]
            if lines[i]:match("%S") then
                indent = math.min(indent, #lines[i]:match("^ *"))
            end
        end
    end
    while #out > 0 and out[#out] == "" do out[#out] = nil end
    for i, line in ipairs(out) do out[i] = line:sub(indent + 1) end
    return out
end

function code.find(path, name)
    local lines = lines_of(path)
    if not lines then return nil, "no file " .. path end
    if not name then
        return { first = 1, last = #lines, lines = cut(lines, 1, #lines) }
    end
    local regions, wrong = regions_of(lines)
    if #wrong > 0 then
        return nil, path .. ":" .. wrong[1][1] .. ": " .. wrong[1][2]
    end
    local found, where = {}, {}
    local function take(list)
        for _, each in ipairs(list) do
            if each.name == name then
                found[#found + 1] = each
                where[#where + 1] = tostring(each.line or each.first)
            end
        end
    end
    take(functions_of(lines))
    take(regions)
    if #found == 0 and name:match("^[%a_][%w_]*$") then
        take(tables_of(lines, name))
    end
    if #found == 0 then
        return nil, 'no function or region "' .. name .. '" in ' .. path
    elseif #found > 1 then
        return nil, '"' .. name .. '" stands ' .. #found .. " times in " .. path ..
            " (lines " .. table.concat(where, ", ") .. ")"
    end
    local one = found[1]
    return {
        first = one.first,
        last = one.last,
        lines = cut(lines, one.first, one.last),
    }
end

function code.regions(path)
    return regions_of(lines_of(path) or {})
end

function code.language(path)
    local languages = { c = "c", h = "c", sh = "bash", py = "python", mk = "makefile",
        lua = "lua" }
    if path:match("Makefile$") then return "makefile" end
    return languages[path:match("%.(%w+)$") or ""] or "text"
end

return code
