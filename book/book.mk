# book.mk - the rules of the book; included by the Makefile.
#
# Uses $(BUILD), $(Q) and $(say).  A page is made again when it, the filter,
# the template, the list of titles, or anything that it includes has changed.

book_pages    := $(sort $(wildcard book/[0-9][0-9]-*.md))
book_labs     := $(sort $(wildcard labs/[0-9][0-9]-*/README.md))
book_sources  := $(sort $(wildcard chapters/*/*.[ch] labs/*/*.[ch] \
	tests/probe/*.[ch] tests/witness/*.[ch] tests/chapters/*.c tests/labs/*.c))
book_diagrams := $(sort $(wildcard diagrams/*.dot))

book_out      := $(BUILD)/book
book_html     := $(book_pages:book/%.md=$(book_out)/%.html)
book_lab_html := $(book_labs:labs/%/README.md=$(book_out)/labs/%.html)
book_listings := $(book_sources:%=$(book_out)/src/%.html)
book_svg      := $(book_diagrams:diagrams/%.dot=$(book_out)/diagrams/%.svg)
book_tools    := book/book.lua book/code.lua book/contents.lua \
	book/template.html book/book.mk
# What the console blocks need before they can run.
BOOK_NEEDS    ?= $(programs) $(minibox) rootfs

# Dollars and at-signs in this book are a shell's, not mathematics or citations.
book_markdown := markdown-tex_math_dollars-raw_tex-citations-subscript-superscript
pandoc = timeout 60 pandoc --fail-if-warnings --from=$(book_markdown) --to=html5 \
	--lua-filter=book/book.lua --template=book/template.html \
	-M build=$(BUILD) -M output=$(@:$(book_out)/%=%) -M depfile=$@.d -o $@

book_site     := $(book_out)/index.html $(book_html) $(book_lab_html) \
	$(book_listings) $(book_out)/style.css $(book_out)/.regions

.PHONY: book
book: $(book_site) ## render the book as a site
	@rm -f $(filter-out $(book_site),$(shell find $(book_out) -name '*.html'))
	@echo 'the book: $(book_out)/index.html'

.PHONY: check-book
check-book: $(BOOK_NEEDS) ## run every console block again, check every link
	@mkdir -p $(BUILD)
	@$(MAKE) --no-print-directory --keep-going --silent book \
	    >$(book_out).log 2>&1; \
	python3 tests/book/check.py --build $(BUILD) --log $(book_out).log --made $$? \
	    $(PAGE)

.PHONY: update-book
update-book: $(BOOK_NEEDS) ## write real output into console blocks: PAGE=book/02-pid.md
	@python3 tests/book/console.py --build $(BUILD) update \
	    $(or $(PAGE),$(book_pages) book/index.md)

.PHONY: test-book
test-book: ## show that each mistake in a page is caught
	@python3 tests/book/pipeline_test.py

$(book_out)/%.html: book/%.md $(book_tools) $(book_out)/contents.txt \
    | $(book_svg) $$(@D)/.
	$(call say,PAGE)
	$(Q)$(pandoc) $<

$(book_out)/labs/%.html: labs/%/README.md $(book_tools) \
    $(book_out)/contents.txt | $$(@D)/.
	$(call say,PAGE)
	$(Q)$(pandoc) $<

$(book_out)/src/%.html: % $(book_tools) $(book_out)/contents.txt | $$(@D)/.
	$(call say,PAGE)
	$(Q)$(pandoc) -M source=$< /dev/null

.SECONDARY: $(book_svg)

# The index shows which labs there are.
$(book_out)/index.html: $(book_labs)

$(book_out)/diagrams/%.svg: diagrams/%.dot diagrams/style | $$(@D)/.
	$(call say,DOT)
	$(Q)sed '/^#/d' diagrams/style | xargs dot -Tsvg -o $@ $<

$(book_out)/style.css: book/style.css | $$(@D)/.
	$(Q)cp $< $@

$(book_out)/.regions: book/regions.lua book/code.lua $(book_pages) book/index.md \
    $(book_sources) | $$(@D)/.
	$(Q)pandoc --from=markdown --to=plain --lua-filter=book/regions.lua \
	    -M pages='$(book_pages) book/index.md' -M sources='$(book_sources)' \
	    -o $@ /dev/null

# The titles, replaced only when one has changed: all pages show them.
$(book_out)/contents.txt: book_always | $$(@D)/.
	@{ [ -z '$(book_pages)' ] || grep -Hm1 '^# ' $(book_pages); } >$@.new || :
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: book_always
book_always:
