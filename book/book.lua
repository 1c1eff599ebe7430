-- book.lua - the pandoc filter that makes a page of the site.
--
-- Given by book.mk as metadata:
--   build     where everything made lies
--   output    the page to be made, relative to build/book
--   depfile   where to write, for make, what the page was made from
--   source    (a listing only) the source file that the page shows
--
-- Whatever is wrong with a page ends the build with one line:
-- PAGE:LINE: what is wrong.
local code = dofile("book/code.lua")
local parts = dofile("book/contents.lua")
local stringify = pandoc.utils.stringify
local List = pandoc.List

local input = PANDOC_STATE.input_files[1]
local page = {}        -- what the metadata says
local made_from = {}   -- every other file that the page was made from
local figures = 0

-- ---- errors ------------------------------------------------------------------

-- The line of the page where a piece of its text stands.
local function line_of(text)
    local n = 0
    for line in io.lines(input) do
        n = n + 1
        if text and line:find(text, 1, true) then return n end
    end
    return 1
end

local function stop(text, what)
    io.stderr:write(input, ":", line_of(text), ": ", what, "\n")
    os.exit(1)
end

-- ---- small helpers -------------------------------------------------------------

local ESCAPE = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }
local function html(text)
    return (text:gsub('[&<>"]', ESCAPE))
end

local function raw(text)
    return pandoc.RawBlock("html", text)
end

local function render(blocks)
    return (pandoc.write(pandoc.Pandoc(blocks), "html"):gsub("%s+$", ""))
end

-- Ready-made HTML, for the template.
local function html_value(text)
    return pandoc.MetaBlocks { raw(text) }
end

local function exists(path)
    local file = io.open(path, "r")
    if file then file:close() end
    return file ~= nil
end

-- From the folder of this page to the root of the site: "", "../", ...
local function up()
    return (page.output:gsub("[^/]+/", "../"):gsub("[^/]+$", ""))
end

-- a/b/../c -> a/c; nil when it leaves the root
local function tidy(path)
    local out = {}
    for piece in path:gmatch("[^/]+") do
        if piece == ".." then
            if #out == 0 then return nil end
            out[#out] = nil
        elseif piece ~= "." then
            out[#out + 1] = piece
        end
    end
    return table.concat(out, "/")
end

local function listing(path)
    return "src/" .. path .. ".html"
end

-- ---- the contents: parts from contents.lua, titles from the pages ----------------

local chapters = {}  -- in order: { name, number, topic, title (html), plain, part }

local function read_contents()
    local by_topic = {}
    for line in io.lines(page.build .. "/book/contents.txt") do
        local name, title = line:match("^book/([^:]+)%.md:# (.*)$")
        local number, topic = name:match("^(%d+)-(.+)$")
        title = title:gsub("%s*{[^}]*}%s*$", "")
        local inlines = pandoc.read(title).blocks[1].content
        by_topic[topic] = {
            name = name,
            number = tonumber(number),
            topic = topic,
            title = render({ pandoc.Plain(inlines) }),
            plain = stringify(inlines),
        }
    end
    for _, part in ipairs(parts) do
        for i = 2, #part do
            local chapter = by_topic[part[i][1]]
            if chapter then
                chapter.part, chapter.idea = part[1], part[i][2]
                chapters[#chapters + 1] = chapter
                by_topic[chapter.topic] = nil
            end
        end
    end
    for _, chapter in pairs(by_topic) do
        io.stderr:write("book/", chapter.name, '.md:1: the topic "', chapter.topic,
            '" is in no part of book/contents.lua\n')
        os.exit(1)
    end
    for i, chapter in ipairs(chapters) do
        chapter.before, chapter.after = chapters[i - 1], chapters[i + 1]
    end
end

local function chapter_of(name)
    for _, chapter in ipairs(chapters) do
        if chapter.name == name then return chapter end
    end
end

local function in_parts(visit)
    local part
    for _, chapter in ipairs(chapters) do
        visit(chapter, chapter.part ~= part and chapter.part or nil)
        part = chapter.part
    end
end

local function navigation(current)
    local out = {}
    local function add(...) out[#out + 1] = table.concat({ ... }) end
    in_parts(function(chapter, part)
        if part then
            if #out > 0 then add("</ol>") end
            add('<p class="part">', html(part), "</p>\n<ol>")
        end
        add("<li", chapter == current and ' class="here"' or "", '><a href="', up(),
            chapter.name, '.html"',
            chapter == current and ' aria-current="page"' or "",
            '><span class="number">', tostring(chapter.number), "</span><span>",
            chapter.title, "</span></a></li>")
    end)
    if #out > 0 then add("</ol>") end
    return table.concat(out, "\n")
end

-- The table that stands for "::: contents" in the index.
local function contents_table()
    local out = { '<table class="contents">' }
    local function add(...) out[#out + 1] = table.concat({ ... }) end
    in_parts(function(chapter, part)
        if part then
            if #out > 1 then add("</tbody>") end
            add('<tbody><tr class="part"><th colspan="3" scope="rowgroup">',
                html(part), "</th></tr>")
        end
        local lab = "labs/" .. chapter.name .. "/README.md"
        add('<tr><td class="number">', tostring(chapter.number), '</td><td><a href="',
            chapter.name, '.html">', chapter.title, '</a><span class="idea">',
            render({ pandoc.Plain(pandoc.read(chapter.idea).blocks[1].content) }),
            '</span></td><td class="lab">',
            exists(lab) and '<a href="labs/' .. chapter.name .. '.html">lab</a>' or "",
            "</td></tr>")
    end)
    if #out > 1 then add("</tbody>") end
    add("</table>")
    return raw(table.concat(out, "\n"))
end

-- ---- code ----------------------------------------------------------------------

local function include(block)
    local target = block.attributes.include
    local path, name = target:match("^([^#]+)#(.+)$")
    path = path or target
    if block.text:match("%S") then
        stop('"' .. target .. '"', "a block with include has no text of its own")
    end
    local piece, wrong = code.find(path, name)
    if not piece then stop('"' .. target .. '"', wrong) end
    made_from[path] = true
    local shown = pandoc.CodeBlock(table.concat(piece.lines, "\n"),
        pandoc.Attr("", { code.language(path) }))
    local range = piece.first == piece.last and "line " .. piece.first or
        "lines " .. piece.first .. "–" .. piece.last
    return {
        raw('<figure class="code"><figcaption><a href="' .. up() .. listing(path) ..
            "#L-" .. piece.first .. '">' .. html(path) .. "</a><span>" .. range ..
            "</span></figcaption>"),
        shown,
        raw("</figure>"),
    }
end

local WHO = {
    root = "needs real root",
    user = "needs an ordinary user",
}

local function console(block)
    local out, typed = {}, false
    for line in (block.text .. "\n"):gmatch("(.-)\n") do
        local prompt, command = line:match("^([#$]) (.*)$")
        if prompt and not typed then
            out[#out + 1] = '<span class="prompt">' .. prompt .. ' </span><kbd>' ..
                html(command) .. "</kbd>"
            typed = command:match("\\$") ~= nil
        elseif typed then
            out[#out + 1] = "<kbd>" .. html(line) .. "</kbd>"
            typed = line:match("\\$") ~= nil
        elseif line == "..." then
            out[#out + 1] = '<span class="elided">...</span>'
        else
            out[#out + 1] = html(line)
        end
    end
    local only = block.attributes.only
    local label = only and '<span class="who">' .. (WHO[only] or
        stop('only="' .. only .. '"', 'only="' .. only .. '" is neither root nor user'))
        .. "</span>" or ""
    return raw('<div class="console">' .. label .. '<pre tabindex="0"><code>' ..
        table.concat(out, "\n") .. "</code></pre></div>")
end

local function code_block(block)
    if block.attributes.include then return include(block) end
    if block.classes:includes("console") then return console(block) end
end

-- ---- figures --------------------------------------------------------------------

local function drawing(path, alt)
    local svg = page.build .. "/book/" .. path:gsub("%.dot$", ".svg")
    local file = io.open(svg, "r")
    if not exists(path) or not file then stop(path, "no diagram " .. path) end
    local text = file:read("a")
    file:close()
    made_from[path] = true
    made_from[svg] = true
    -- Its own prologue and ids have no place inside a page; the size stays,
    -- in the unit that a reader's larger text enlarges too.
    text = text:gsub("^.-(<svg)", "%1"):gsub("<!%-%-.-%-%->\n?", "")
        :gsub(' id="[^"]*"', ""):gsub("<title>.-</title>\n?", "")
        :gsub('<svg width="(%d+)pt" height="(%d+)pt"', function(width, height)
            return string.format(
                '<svg role="img" aria-label="%s" style="width: %.1frem"',
                html(alt), width / 12)
        end)
    return text
end

local function figure(block)
    local image = #block.content == 1 and block.content[1]
    if not image or image.t ~= "Image" or not image.src:match("%.dot$") then return end
    local alt = stringify(image.caption)
    if alt == "" then stop(image.src, "a figure says in words what is to be seen") end
    figures = figures + 1
    return {
        raw('<figure class="drawing" id="' .. html(image.identifier) ..
            '"><div tabindex="0">' .. drawing(image.src, alt) ..
            "</div><figcaption><b>Figure " .. figures .. ".</b> "),
        pandoc.Plain(image.caption),
        raw("</figcaption></figure>"),
    }
end

-- ---- asides ---------------------------------------------------------------------

local ASIDES = {
    ["break"] = "What would break",
    pitfall = "Pitfall",
    note = "Note",
}

local function predict(div)
    local out = List { raw('<aside class="predict"><p class="label">Your prediction</p>') }
    local revealed = false
    for _, block in ipairs(div.content) do
        if block.t == "Div" and block.classes:includes("reveal") then
            revealed = true
            out:insert(raw("<details><summary>What happens</summary>"))
            out:extend(block.content)
            out:insert(raw("</details>"))
        else
            out:insert(block)
        end
    end
    if not revealed then stop("::: predict", "a predict block without its reveal") end
    out:insert(raw("</aside>"))
    return out
end

local function aside(div)
    local class = div.classes[1]
    if not class then return end
    if class == "predict" then return predict(div) end
    if class == "contents" then return contents_table() end
    if class == "reveal" then stop("::: reveal", "a reveal block outside of predict") end
    if not ASIDES[class] then stop("::: " .. class, 'unknown block "::: ' .. class .. '"') end
    local out = List { raw('<aside class="' .. class .. '"><p class="label">' ..
        ASIDES[class] .. "</p>") }
    out:extend(div.content)
    out:insert(raw("</aside>"))
    return out
end

-- ---- links ----------------------------------------------------------------------

-- man7.org has the pages of most projects; these it has not.
local ELSEWHERE = {
    bwrap = true, busybox = true, criu = true, dot = true, hyperfine = true,
    lxcfs = true, pandoc = true, ["qemu-system-x86_64"] = true, unifdef = true,
}

local function manual(name, section)
    if ELSEWHERE[name] then
        return "https://manpages.debian.org/" .. name .. "." .. section
    end
    return "https://man7.org/linux/man-pages/man" .. section:sub(1, 1) .. "/" .. name ..
        "." .. section .. ".html"
end

-- clone(2) in the text becomes a link to that page of the manual.
local function manual_pages(str)
    local out, rest = List {}, str.text
    while true do
        local first, last, name, section = rest:find("([%a_][%w_.+-]*)%(([1-8]p?)%)")
        if not first then break end
        if first > 1 then out:insert(pandoc.Str(rest:sub(1, first - 1))) end
        out:insert(pandoc.Link(rest:sub(first, last), manual(name, section), "",
            pandoc.Attr("", { "manual" })))
        rest = rest:sub(last + 1)
    end
    if #out == 0 then return end
    if rest ~= "" then out:insert(pandoc.Str(rest)) end
    return out, false -- not into the new link, whose text is the same again
end

-- Links between sources become links between pages.
local function link(element)
    local target = element.target
    if target:match("^%a[%w+.-]*:") or target:match("^#") then return end
    local path, anchor = target:match("^([^#]*)(.*)$")
    local wanted = tidy((input:match("^.*/") or "") .. path)
    if not wanted then stop(target, "the link " .. target .. " leaves the project") end
    local made = wanted:match("^book/(.+)%.md$")
    if made then
        made = made .. ".html"
    elseif wanted:match("^labs/[^/]+/?$") or wanted:match("^labs/.+/README%.md$") then
        made = "labs/" .. wanted:match("^labs/([^/]+)") .. ".html"
        wanted = "labs/" .. wanted:match("^labs/([^/]+)") .. "/README.md"
    elseif wanted:match("%.[ch]$") then
        made = listing(wanted)
    end
    if not made then
        stop(target, "the link " .. target .. " leads to no page of the book")
    elseif not exists(wanted) then
        stop(target, "the link " .. target .. " leads nowhere: no file " .. wanted)
    end
    element.target = up() .. made .. anchor
    return element
end

-- ---- headings ---------------------------------------------------------------------

local function heading(header)
    if header.level > 3 or header.identifier == "" then return end
    header.content:insert(pandoc.Space())
    header.content:insert(pandoc.Link("", "#" .. header.identifier, "link to this place",
        pandoc.Attr("", { "anchor" })))
    return header
end

-- The page's one heading of the first level is its title.
local function take_title(doc)
    for i, block in ipairs(doc.blocks) do
        if block.t == "Header" and block.level == 1 then
            local title = doc.blocks:remove(i)
            for _, other in ipairs(doc.blocks) do
                if other.t == "Header" and other.level == 1 then
                    stop("# " .. stringify(other), "a page has one title")
                end
            end
            return title
        end
    end
    stop(nil, "a page begins with its title: # Title {#topic}")
end

-- In a lab, each section "Hint N" is folded away.
local function fold_hints(blocks)
    local out, open = List {}, false
    for _, block in ipairs(blocks) do
        if block.t == "Header" and block.level <= 2 then
            if open then out:insert(raw("</details>")) end
            open = stringify(block):match("^Hint %d+") ~= nil
            if open then
                out:insert(raw('<details class="hint" id="' .. block.identifier ..
                    '"><summary>' .. render({ pandoc.Plain(block.content) }) ..
                    "</summary>"))
            else
                out:insert(block)
            end
        else
            out:insert(block)
        end
    end
    if open then out:insert(raw("</details>")) end
    return out
end

-- "On this page": the headings of the second level.
local function headings(blocks)
    local out = {}
    for _, block in ipairs(blocks) do
        if block.t == "Header" and block.level == 2 then
            out[#out + 1] = '<li><a href="#' .. block.identifier .. '">' ..
                render({ pandoc.Plain(block.content) }) .. "</a></li>"
        end
    end
    return #out > 2 and html_value("<ul>\n" .. table.concat(out, "\n") .. "\n</ul>") or nil
end

-- ---- the page -----------------------------------------------------------------------

local function write_depfile()
    local names = {}
    for path in pairs(made_from) do names[#names + 1] = path:gsub(" ", "\\ ") end
    table.sort(names)
    local file = assert(io.open(page.depfile, "w"))
    file:write(page.build, "/book/", page.output, ": ", table.concat(names, " "), "\n")
    for _, name in ipairs(names) do file:write(name, ":\n") end
    file:close()
end

local function neighbour(chapter)
    return chapter and html_value('<a href="' .. up() .. chapter.name .. '.html">' ..
        chapter.title .. "</a>")
end

local function walk_text(doc)
    return doc:walk {
        traverse = "topdown",
        Header = function(header) return heading(header), false end,
        Link = function(element) return link(element), false end,
        Str = manual_pages,
    }
end

-- The listing of a source file: every line is an anchor.
local function source_page(meta)
    local piece, wrong = code.find(page.source)
    if not piece then
        io.stderr:write(wrong, "\n")
        os.exit(1)
    end
    local file = io.open(page.source)
    local text = file:read("a")
    file:close()
    local topic = page.source:match("^%a+/([^/]+)/")
    local chapter = topic and chapter_of(topic)
    meta.title = page.source
    meta.listing = true
    meta.eyebrow = chapter and html_value('<a href="' .. up() .. chapter.name ..
        '.html">Chapter ' .. chapter.number .. ". " .. chapter.title .. "</a>")
    meta.nav = html_value(navigation(chapter))
    return pandoc.Pandoc({ pandoc.CodeBlock(text:gsub("%s+$", ""), pandoc.Attr("L",
        { code.language(page.source), "numberLines", "lineAnchors" })) }, meta)
end

function Pandoc(doc)
    local meta = doc.meta
    for _, key in ipairs { "build", "output", "depfile", "source" } do
        page[key] = meta[key] and stringify(meta[key])
    end
    read_contents()
    meta.root = up()
    meta.lang = "en"
    if page.source then
        doc = source_page(meta)
        doc.meta.pagetitle = page.source
        return doc
    end

    local name = page.output:match("([^/]+)%.html$")
    local chapter = chapter_of(name)
    local title = take_title(doc)
    meta.title = pandoc.MetaInlines(title.content)
    meta.titleid = title.identifier
    meta.pagetitle = stringify(title)
    if input:match("^labs/") then
        doc.blocks = fold_hints(doc.blocks)
        meta.eyebrow = chapter and html_value('Lab of <a href="' .. up() ..
            chapter.name .. '.html">chapter ' .. chapter.number .. ". " ..
            chapter.title .. "</a>")
    elseif chapter then
        meta.eyebrow = html_value("Chapter " .. chapter.number .. " · " ..
            html(chapter.part))
        meta.before, meta.after = neighbour(chapter.before), neighbour(chapter.after)
        meta.lab = exists("labs/" .. name .. "/README.md") and name or nil
        local want = input:match("%d+%-(.+)%.md$")
        if title.identifier ~= want then
            stop("# ", 'the title\'s id is "' .. title.identifier .. '", not "' .. want .. '"')
        end
    else
        meta.home = true
        meta.after = neighbour(chapters[1])
    end
    meta.nav = html_value(navigation(chapter))

    if chapter and not input:match("^labs/") then
        meta.headings = headings(doc.blocks)
    end
    doc = walk_text(doc)
    doc = doc:walk { CodeBlock = code_block, Para = figure }
    doc = doc:walk { Div = function(div)
        if div.classes:includes("reveal") then return end
        return aside(div)
    end }
    doc:walk { Div = function(div)
        if div.classes:includes("reveal") then
            stop("::: reveal", "a reveal block outside of predict")
        end
    end }
    doc = doc:walk { Table = function(block)
        return { raw('<div class="wide">'), block, raw("</div>") }
    end }
    write_depfile()
    return doc
end
