# `make help` lists the targets. CONFIGURATION=release makes `run` build an optimised program; SWIFT_FLAGS are for builds
# and tests.

CONFIGURATION ?= debug
SWIFT_FLAGS ?=
# A release needs no Swift where it runs. Apple's systems have its libraries, and a Swift of a distribution may lack the
# static ones: RELEASE_FLAGS= links as usual.
RELEASE_FLAGS ?= $(if $(filter Linux,$(shell uname)),--static-swift-stdlib)
BENCH_FLAGS ?=
# What is published was measured with release; a tiny run in CI uses what is built already.
BENCH_CONFIGURATION ?= release
SECONDS_TO_RUN ?= 60
COUNT ?= 100000
# Of `fuzz`.
TARGET ?= commands platforms json activities ledgers configuration
SWIFT_SOURCES = $(wildcard Package.swift Sources Tests Resources Torture \
    Benchmarks/Sources Fuzz/Package.swift Fuzz/Sources)

flags-for = $(if $(filter release,$1),$(RELEASE_FLAGS)) $(SWIFT_FLAGS)

.DEFAULT_GOAL := help
.PHONY: help run test interop lint format bench bench-peers crash images torture fuzz sanitize-thread sanitize-address deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Runs the tests that $2 names and keeps their log as $1. A failure must not hide behind `tee`, nor in a long log. Tables
# are walked in the same order every time, so that HONGBAO_SEED repeats.
test: SHELL = /bin/bash
test: TEST_OUTPUT = $(CURDIR)/.build/test-output
define run-tests
	set -o pipefail; SWIFT_DETERMINISTIC_HASHING=1 HONGBAO_TEST_OUTPUT='$(TEST_OUTPUT)' \
	    swift test $(SWIFT_FLAGS) $2 2>&1 | tee '$(TEST_OUTPUT)/$1.log' \
	    || { grep '^✘' '$(TEST_OUTPUT)/$1.log' | tail -n 100 >&2; exit 1; }
endef

run: deps ## build, then talk to a sample activity on the terminal
	swift build -c $(CONFIGURATION) $(call flags-for,$(CONFIGURATION)) --product hongbao </dev/null
	@.build/$(CONFIGURATION)/hongbao chat --demo

test: deps ## run every test, then look for secrets in all that was put out
	@rm -rf '$(TEST_OUTPUT)'; mkdir -p '$(TEST_OUTPUT)'
	@# Those that compute for seconds hold up those that wait for a network, and these those that block their threads
	@# until a process ends: each kind for itself.
	$(call run-tests,tests-1,--skip '^(WebServer|hongbao)Tests')
	$(call run-tests,tests-2,--skip-build --filter '^WebServerTests')
	$(call run-tests,tests-3,--skip-build --filter '^hongbaoTests')
	@# And nothing that anybody put out holds a secret.
	HONGBAO_SEARCHED_OUTPUT='$(TEST_OUTPUT)' swift test $(SWIFT_FLAGS) --skip-build --filter OutputSearchTests

interop: deps ## play the chat platforms with their own SDKs, from PyPI, against the running server
	swift build $(SWIFT_FLAGS) --product hongbao </dev/null
	@Tests/Interop/run

lint: ## check the format, and that nothing in Sources may crash by choice
	swift format lint -s -r -p $(SWIFT_SOURCES)
	@! grep -rnE '\<(try|as)!|\<fatalError\(' --include='*.swift' Sources || \
	    { echo 'lint: try!, as! and fatalError( are not used in Sources; throw, or precondition with a sentence' >&2; exit 1; }

format: ## put every Swift file into the common format
	swift format -i -r -p $(SWIFT_SOURCES)

# The benchmarks, the program that they measure, and the C program beside it.
bench bench-peers: BUILD = .build/$(BENCH_CONFIGURATION)
define build-benchmarks
	@mkdir -p .build/bench
	$(CC) -O2 -Wall -Wextra -o .build/bench/plain Benchmarks/reference/plain.c -lsqlite3
	swift build -c $(BENCH_CONFIGURATION) $(call flags-for,$(BENCH_CONFIGURATION)) --product hongbao </dev/null
	swift build -c $(BENCH_CONFIGURATION) $(call flags-for,$(BENCH_CONFIGURATION)) --product hongbao-bench </dev/null
endef

bench: deps ## measure how fast everything is, most of it beside a reference; BENCH_FLAGS="--only draws-256", or --tiny
	$(build-benchmarks)
	$(BUILD)/hongbao-bench --reference $(CURDIR)/.build/bench/plain --program $(BUILD)/hongbao \
	    --folder $(CURDIR)/.build/bench --output Benchmarks/latest.json $(BENCH_FLAGS)

bench-peers: deps ## the same draws beside Redis and a NoneBot2 bot, which are installed where that needs no password
	@command -v redis-server >/dev/null || { \
	    as=; [ "$$(id -u)" = 0 ] || as='sudo -n'; \
	    echo '没有找到 Redis，现在用 apt-get 安装。Redis was not found; installing it with apt-get.'; \
	    $$as apt-get update -q && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -q -y redis-server; } >&2 </dev/null
	$(build-benchmarks)
	$(BUILD)/hongbao-bench --peers --reference $(CURDIR)/.build/bench/plain --program $(BUILD)/hongbao \
	    --bot Benchmarks/peers/run-bot --folder $(CURDIR)/.build/bench --output Benchmarks/latest-peers.json $(BENCH_FLAGS)

crash: deps ## kill the program at 200 random instants; everything acknowledged must still be there
	@swift test list $(SWIFT_FLAGS) | grep 'hongbaoTests.*Crash' || \
	    { echo 'crash: no test has Crash in its name' >&2; exit 1; }
	HONGBAO_CRASHES=200 swift test $(SWIFT_FLAGS) --skip-build --filter 'hongbaoTests.*Crash'

images: deps ## look at COUNT databases as a crash may leave them, or again at IMAGE of SEED; nothing acknowledged may be missing
	@# Tables are walked in the same order every time, so that a seed repeats.
	SWIFT_DETERMINISTIC_HASHING=1 HONGBAO_IMAGES=$(COUNT) \
	    HONGBAO_SEED=$(or $(SEED),$(strip $(shell od -An -N4 -tu4 /dev/urandom))) $(if $(IMAGE),HONGBAO_IMAGE=$(IMAGE)) \
	    $(if $(FAULT),HONGBAO_FAULT=$(FAULT)) \
	    swift test $(SWIFT_FLAGS) --filter CrashImageTests

torture: deps ## simulate events with faults for SECONDS_TO_RUN, or the one of SEED; no promise may break
	swift build -c $(CONFIGURATION) $(call flags-for,$(CONFIGURATION)) --product hongbao-torture </dev/null
	@# Sets are walked in the same order every time, so that a seed repeats.
	@SWIFT_DETERMINISTIC_HASHING=1 .build/$(CONFIGURATION)/hongbao-torture --seconds $(SECONDS_TO_RUN) \
	    $(if $(SEED),--seed $(SEED)) $(if $(STEPS),--steps $(STEPS)) $(if $(MUTATION),--mutation $(MUTATION))

fuzz: deps ## make up hostile input: SECONDS_TO_RUN=60 for each TARGET="commands platforms json activities ledgers configuration"
	@Fuzz/run $(SECONDS_TO_RUN) $(TARGET)

sanitize-thread: export TSAN_OPTIONS = suppressions=$(CURDIR)/Tests/Sanitizers/thread.txt
sanitize-thread: deps ## store, batcher, gate and server under the thread sanitizer
	swift build --build-tests $(SWIFT_FLAGS) --sanitize=thread --scratch-path .build/thread
	swift test $(SWIFT_FLAGS) --skip-build \
	    --sanitize=thread --scratch-path .build/thread --filter 'SQLiteStoreTests|ActivitiesTests|TrafficGateTests'
	@# One after the other: these have deadlines. How exactly a limit on connections is kept is a matter of speed, too.
	swift test $(SWIFT_FLAGS) --skip-build --no-parallel \
	    --sanitize=thread --scratch-path .build/thread --filter WebServerTests --skip ConnectionCountTests

sanitize-address: deps ## every test under the address sanitizer
	swift build --build-tests $(SWIFT_FLAGS) --sanitize=address --scratch-path .build/address
	@# Leaks cannot be told in Swift: a reference may hold an enum's case in its unused bits, and looks like none then.
	ASAN_OPTIONS=detect_leaks=0 swift test $(SWIFT_FLAGS) --skip-build --no-parallel --sanitize=address --scratch-path .build/address

deps: ## check for Swift and the SQLite headers; install the headers where that needs no password
	@command -v swift >/dev/null || { \
	    echo '没有找到 Swift。请先安装 Swift 6.3：https://www.swift.org/install/'; \
	    echo 'Swift was not found. Install Swift 6.3 first: https://www.swift.org/install/'; exit 1; } >&2
	@[ "$$(uname)" = Darwin ] || [ -f /usr/include/sqlite3.h ] || { \
	    if ! command -v apt-get >/dev/null; then as=none; \
	    elif [ "$$(id -u)" = 0 ]; then as=; \
	    elif sudo -n true 2>/dev/null; then as='sudo -n'; \
	    else as=none; fi; \
	    if [ "$$as" = none ]; then \
	        echo '缺少 SQLite 头文件。请先运行：'; \
	        echo 'The SQLite headers are missing. Run first:'; \
	        echo '    sudo apt-get update && sudo apt-get install -y libsqlite3-dev'; exit 1; \
	    fi; \
	    echo '缺少 SQLite 头文件，现在用 apt-get 安装 libsqlite3-dev。'; \
	    echo 'The SQLite headers are missing; installing libsqlite3-dev with apt-get.'; \
	    $$as apt-get update -q && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -q -y libsqlite3-dev; } >&2 </dev/null
