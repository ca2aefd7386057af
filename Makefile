# Copyright (C) the ngx_http_codat_module authors
#
# Builds the dynamic module against the nginx of this machine and tests it.
# "make help" lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
export PATH := $(PATH):/usr/sbin:/sbin

BUILD        ?= build
NGINX_BINARY ?= nginx
NGINX_SRC    ?= /usr/share/nginx/src
TESTS        ?= $(sort $(wildcard t/*.t))
JOBS         ?= $(shell nproc)
MATRIX       ?= bookworm trixie sid

dir    := $(abspath $(BUILD))
module := $(dir)/ngx_http_codat_module.so
files  := $(sort $(wildcard ngx_http_codat_module/*.[ch]))

.PHONY: all help deps deps-test deps-check install unit test demo asan \
        valgrind lockcheck tidy bench soak warnings clean FORCE
.PHONY: oom cover crash
.PHONY: matrix conformance deb deb-test
.PHONY: fuzz fuzz-night sdk


all: $(module)  ## build/ngx_http_codat_module.so (the default)
	@echo "built $(BUILD)/$(notdir $(module))"

help:           ## this list
	@sed -nE 's/^([a-z-]+):[^#]*##\s*(.*)/  \1\t\2/p' Makefile | expand -t 14
	@sed -n '/^# Variables/,/^$$/s/^# \?//p' Makefile

deps:           ## install the Debian packages that building needs
	@t/tools/deps install build

deps-test:      ## install the Debian packages that testing needs
	@t/tools/deps install build test

deps-check:     ## install the packages that "make warnings" and "asan" need
	@t/tools/deps install build test check

install: all    ## copy the module to where nginx loads modules from
	install -D -m 644 $(module) \
	    $(DESTDIR)$(shell t/tools/modules-path $(NGINX_BINARY))/$(notdir $(module))

unit:           ## unit tests of the parts that need no running nginx
	@t/unit/run $(dir)/unit

test:           ## everything, from nothing: packages, build, unit, t/*.t
	@t/tools/deps install build test bench
	@$(MAKE) all
	@$(MAKE) unit
	@MODULE=$(module) t/tools/prove $(TESTS)

demo:           ## nginx with the module on 127.0.0.1:8080, sample webhooks
	@t/tools/deps install build demo
	@$(MAKE) all
	@MODULE=$(module) tools/demo

asan:           ## unit and t/*.t under AddressSanitizer and UBSan
	@t/tools/deps install build test check
	@t/tools/build-static asan $(dir)/asan
	@t/tools/run-asan $(dir)/asan/nginx unit
	@t/tools/run-asan $(dir)/asan/nginx $(TESTS)

valgrind:       ## unit and t/*.t under memcheck
	@t/tools/deps install build test check
	@$(MAKE) all
	@t/tools/run-valgrind $(dir)/valgrind unit
	@MODULE=$(module) t/tools/run-valgrind $(dir)/valgrind $(TESTS)

lockcheck:      ## t/*.t with a checker of the zones' locks
	@t/tools/deps install build test
	@t/tools/build-static lock $(dir)/lock
	@t/tools/run-lockcheck $(dir)/lock/nginx $(TESTS)

tidy:           ## clang-tidy, cppcheck, warnings, rules of the house
	@t/tools/deps install build check
	@$(MAKE) warnings
	@t/tools/style
	@t/tools/tidy $(dir)

oom:            ## every allocation fails once; needs nginx sources
	@t/tools/deps install build test check
	@t/oom/build asan $(dir)/oom
	@t/tools/run-asan $(dir)/oom/nginx $(wildcard t/oom/*.t)

cover:          ## which lines no test runs; needs nginx sources
	@t/tools/deps install build test check
	@t/cover/run $(dir)/cover

bench:          ## the cost of a webhook, beside other servers; of tables, lock
	@t/tools/deps install build bench count
	@$(MAKE) all
	@MODULE=$(module) t/bench/run
	@BUILD=$(dir) t/bench/zone
	@BUILD=$(dir) t/bench/lock
	@MODULE=$(module) t/bench/stall

soak:           ## many webhooks while workers are killed; SOAK_MESSAGES=300000
	@t/tools/deps install build bench
	@$(MAKE) all
	@MODULE=$(module) t/soak/run

sdk:            ## Codat's, Zapier's libraries, Node-RED; fetches by npm
	@t/tools/deps install build test node
	@$(MAKE) all
	@mkdir -p $(dir)/sdk && cp t/sdk/package.json $(dir)/sdk/
	@cd $(dir)/sdk && npm install --no-package-lock --ignore-scripts \
	    --no-audit --no-fund
	@CODAT_SDK=$(dir)/sdk MODULE=$(module) t/tools/prove t/track_sdk.t \
	    t/consumers_sdk.t t/consumers_zapier.t t/consumers_node_red.t

fuzz:           ## hostile input, FUZZ_SECONDS=60 for each target
	@t/tools/deps install build fuzz
	@t/fuzz/build $(dir)/fuzz $(FUZZ)
	@t/fuzz/seeds $(dir)/fuzz/seeds
	@t/fuzz/run $(dir)/fuzz

fuzz-night:     ## the same for an hour each, two at a time
	@$(MAKE) fuzz FUZZ_SECONDS=$${FUZZ_SECONDS:-3600} FUZZ_JOBS=2

crash:          ## a store, while nginx dies at every step; ROUNDS=30
	@t/tools/deps install build test
	@$(MAKE) all BUILD=$(BUILD)/crash \
	    EXTRA_CFLAGS="$(EXTRA_CFLAGS) -DNGX_CODAT_FAULTS=1"
	@MODULE=$(dir)/crash/$(notdir $(module)) CRASH_ROUNDS=$(ROUNDS) \
	    t/crash/run

warnings: $(dir)/Makefile  ## compile with gcc and clang, many warnings
	@t/tools/warnings $(dir)

matrix:         ## t/*.t with the nginx of MATRIX="bookworm trixie sid"
	@t/tools/deps install build test
	@t/tools/matrix $(MATRIX)

conformance:    ## nginx's own tests with and without, NGINX_TESTS=checkout
	@if [ -n "$$NGINX_TESTS" ]; then t/tools/deps install build conformance; \
	    $(MAKE) all; fi
	@MODULE=$(module) t/tools/conformance $(CONFORMANCE)

deb:            ## build/deb/libnginx-mod-http-codat_*.deb, and lintian
	@t/tools/deps install build deb
	@t/tools/deb $(dir)/deb

deb-test:       ## install it on a clean Debian, try, purge; needs root
	@t/tools/deps install deb_test
	@t/tools/deb-test $(dir)/deb

clean:          ## remove what was built (keeps what was fetched)
	rm -rf $(addprefix $(dir)/,addon src asan asan-unit cover lock oom valgrind \
	    unit demo deb ci *.so *.o *.c *.h \
	    Makefile autoconf.err configure.log configured) t/servroot*

# Variables:
#   NGINX_BINARY=nginx                          the nginx to build and test for
#   NGINX_SRC=/usr/share/nginx/src              its configured sources
#   BUILD=build                                 where to put everything
#   EXTRA_CFLAGS= EXTRA_LDFLAGS=                added to the distribution's
#   TESTS="t/x.t ..."                           which tests to run
#   DESTDIR=                                    for install
#   DEMO_ONCE=1                                 demo stops by itself
#   MATRIX="bookworm trixie sid"                Debian suites for matrix
#   MATRIX_BUILDS="dynamic static"              how matrix builds
#   NGINX_SOURCE=                               sources for asan, static builds
#   NGINX_TESTS=                                checkout of nginx-tests
#   CONFORMANCE="proxy.t ..."                   which of its tests, else all
#   FUZZ="sign time" FUZZ_SECONDS=60            targets of fuzz, for how long


$(module): FORCE $(dir)/Makefile
	@$(MAKE) -s -f $(dir)/Makefile -C $(NGINX_SRC) \
	    $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS)) modules

$(dir)/Makefile: config $(dir)/configured
	@t/tools/configure $(NGINX_SRC) $(dir)

# changes only when the list of files, nginx or the flags change
$(dir)/configured: FORCE
	@mkdir -p $(dir); \
	printf '%s\n' $(files) '$(NGINX_SRC)' "$$($(NGINX_BINARY) -V 2>&1)" \
	    '$(EXTRA_CFLAGS)' '$(EXTRA_LDFLAGS)' > $@.new; \
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

export NGINX_SRC NGINX_BINARY EXTRA_CFLAGS EXTRA_LDFLAGS JOBS DEMO_ONCE
export MATRIX_BUILDS NGINX_TESTS
export FUZZ FUZZ_SECONDS FUZZ_JOBS FUZZ_SEED

FORCE:
