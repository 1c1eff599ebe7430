# From clone() to Container
#
# "make" alone says what there is to do.  Nothing here is recursive; all
# paths are relative, so the clone may stand in a path with a blank in it.
#
#   V=1     show the commands
#   SAN=1   build with the address and undefined-behaviour sanitizers
#   WERROR=1  let no warning pass

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDEXPANSION:
MAKEFLAGS += --no-builtin-rules

# ---- variables --------------------------------------------------------------

BUILD   := build$(if $(SAN),/san)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-5s %s\n' $(1) $@)

CC      ?= cc
ifeq ($(origin CC),default)
CC      := cc
endif
OPT     ?= -O2 -g
WARN    := -Wall -Wextra $(if $(WERROR),-Werror)
comma   := ,
SANITIZE := $(if $(SAN),-fsanitize=address$(comma)undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer)
CFLAGS  := -std=gnu11 $(OPT) $(WARN) $(SANITIZE)
DEPEND   = -MMD -MP -MF $@.d
# The tests and minibox are GNU programs throughout; a chapter says so itself.
GNU     := -D_GNU_SOURCE

# 01-ipc -> build/chapters/01-ipc/ipc
topic     = $(word 2,$(subst -, ,$(1)))
names     = $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard $(1)/[0-9]*/*.c)))))
CHAPTERS := $(filter-out %-minibox,$(call names,chapters))
LABS     := $(call names,solutions)

programs   := $(foreach n,$(CHAPTERS),$(BUILD)/chapters/$(n)/$(call topic,$(n)))
solutions  := $(foreach n,$(LABS),$(BUILD)/solutions/$(n)/$(call topic,$(n))_lab)
lab_files  := $(foreach n,$(LABS),labs/$(n)/$(call topic,$(n))_lab.c)
lab_boxes  := $(patsubst %.c,$(BUILD)/%,$(lab_files))
suites     := $(patsubst %.c,$(BUILD)/%,\
	$(wildcard tests/chapters/*_test.c tests/labs/*_test.c \
	tests/minibox/*_test.c tests/house/*_test.c))

minibox_sources := $(wildcard chapters/24-minibox/*.c)
minibox_objects := $(patsubst chapters/24-minibox/%.c,$(BUILD)/minibox.o/%.o,\
	$(minibox_sources))
minibox := $(if $(minibox_sources),$(BUILD)/minibox)

witness_objects := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/witness/*.c))
witness := $(BUILD)/tests/libwitness.a
probe   := $(BUILD)/tests/probe

# ---- what people type --------------------------------------------------------

.PHONY: help
help: ## this list
	@echo 'From clone() to Container: a course in C on Linux containers.'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile book/book.mk \
	    2>/dev/null | expand -t 20
	@echo
	@echo '  V=1 shows commands, SAN=1 builds with sanitizers,' \
	    'WERROR=1 stops at warnings.'

.PHONY: tour
tour: ## install, build, and watch real isolation happen (two minutes)
	@tests/setup.sh build book
	@$(MAKE) --no-print-directory build rootfs
	@tests/tour.sh $(BUILD)
	@$(MAKE) --no-print-directory book

.PHONY: test
test: ## install, build, and test all that this machine can run
	@tests/setup.sh build book
	@$(MAKE) --no-print-directory build rootfs
	@tests/run.sh $(BUILD)

.PHONY: build
build: $(programs) $(solutions) $(minibox) $(probe) $(suites) ## compile everything

.PHONY: rootfs
rootfs: $(BUILD)/rootfs/.made ## a root filesystem of busybox, for minibox

.PHONY: demo
demo: build ## play a page's console blocks: CHAPTER=02-pid [PAUSE=no]
	@python3 tests/book/console.py play $(if $(filter no,$(PAUSE)),--no-pause) \
	    'book/$(CHAPTER).md'

.PHONY: labs
labs: ## derive the labs from the solutions (keeps what you changed)
	@tests/derive-labs.sh $(LABS)

.PHONY: grade
grade: $(probe) ## build and grade your lab: LAB=02-pid (all without LAB)
	@tests/grade.sh $(BUILD) $(or $(LAB),$(LABS))

.PHONY: vm
vm: build ## a shell in the lab machine, or CMD='...' in it
	@tests/setup.sh build vm
	@tests/vm/vm $(if $(CMD),-- "$$CMD")
export CMD

.PHONY: test-vm
test-vm: build rootfs ## the whole suite in the lab machine; nothing skips
	@tests/setup.sh build vm
	@tests/vm/test.sh $(BUILD)

.PHONY: check-labs
check-labs: $(solutions) $(probe) $(suites) ## each stub fails, each solution passes
	@tests/check-labs.sh $(BUILD) $(LABS)

.PHONY: mutants
mutants: $(probe) $(suites) ## each wrong solution fails at the test that names it
	@tests/mutants.sh $(BUILD) $(or $(LAB),$(LABS))

.PHONY: lint
lint: ## format, static analysis, shell, spelling, budgets
	@tests/setup.sh lint
	@tests/lint.sh

.PHONY: bench
bench: build rootfs ## minibox beside unshare(1), as ratios
	@tests/setup.sh build bench
	@tests/bench/run.sh $(BUILD)

.PHONY: clean
clean: ## remove everything made
	$(Q)rm -rf build

-include book/book.mk

# ---- chapters, solutions, labs: one file, one program ---------------------------

define program
$(BUILD)/$(1): $(2) | $(dir $(BUILD)/$(1)).
	$$(call say,CC)
	$$(Q)$$(CC) $$(CFLAGS) $$(DEPEND) -o $$@ $$<
endef

$(foreach n,$(CHAPTERS),$(eval $(call program,chapters/$(n)/$(call \
	topic,$(n)),chapters/$(n)/$(call topic,$(n)).c)))
$(foreach n,$(LABS),$(eval $(call program,solutions/$(n)/$(call \
	topic,$(n))_lab,solutions/$(n)/$(call topic,$(n))_lab.c)))
$(foreach n,$(LABS),$(eval $(call program,labs/$(n)/$(call \
	topic,$(n))_lab,labs/$(n)/$(call topic,$(n))_lab.c)))

# ---- minibox --------------------------------------------------------------------

$(BUILD)/minibox.o/%.o: chapters/24-minibox/%.c | $(BUILD)/minibox.o/.
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(GNU) $(DEPEND) -c -o $@ $<

# Static: a dynamic linker costs a third of a container's start.
$(BUILD)/minibox: $(minibox_objects)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(if $(SAN),,-static) $(LDFLAGS) -o $@ $^

$(BUILD)/rootfs/.made: tests/rootfs.sh $(probe)
	$(call say,ROOT)
	$(Q)tests/rootfs.sh $(BUILD)/rootfs $(probe)
	$(Q)touch $@

# ---- the probe, the witness, the suites -------------------------------------------

# Static, so that it runs on an empty root file system; never sanitized,
# because it must be the same pair of hands everywhere.
$(probe): tests/probe/probe.c | $(BUILD)/tests/.
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 $(OPT) $(WARN) $(GNU) $(DEPEND) -static -o $@ $<

$(BUILD)/tests/witness/%.o: tests/witness/%.c | $(BUILD)/tests/witness/.
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(GNU) $(DEPEND) -c -o $@ $<

$(witness): $(witness_objects)
	$(call say,AR)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/tests/%_test: tests/%_test.c $(witness) | $$(@D)/.
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS) $(GNU) -Itests/witness $(DEPEND) -o $@ $< $(witness) \
	    -lcmocka

.PRECIOUS: %/.
%/.:
	$(Q)mkdir -p $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
