# A thin door to the CMake presets and the scripts; nothing is decided here.
#   make demo        sees everything through: what is missing is installed, built, ingested, served
#   make demo-real   the same with the real files of $RASTRUM_SHARED (default ../shared)
#   make test        all that the project is judged by; make test-long adds the slow ones
#   make build       the release binary, build/release/rastrum; PRESET=dev|asan|tsan for another
#   make install     below PREFIX (/usr/local), with DESTDIR before it; make uninstall takes it away again
#   make package     Debian packages, into build/package
PRESET ?= release
PREFIX ?= /usr/local
export LC_ALL := C.UTF-8

.PHONY: help deps build demo demo-real test test-long bench fuzz lint format install uninstall package clean

help:
	@sed -n 's/^#   //p' Makefile

deps:
	@.ci/deps build test

build:
	@.ci/deps build
	@cmake --preset $(PRESET) --log-level=WARNING $(CMAKE_ARGS)
	@cmake --build --preset $(PRESET) --target rastrum

demo:
	@examples/demo

demo-real:
	@examples/demo --real

test:
	@tests/run

test-long:
	@tests/run --long

bench:
	@.ci/deps bench
	@$(MAKE) --no-print-directory build
	@tests/bench/run

fuzz:
	@.ci/deps build test
	@tests/fuzz/run

lint:
	@.ci/deps build test
	@cmake --preset lint --log-level=WARNING
	@cmake --build --preset lint

format:
	@tests/support/lint --fix

install: build
	@cmake --install build/$(PRESET) --prefix $(abspath $(PREFIX))

uninstall:
	@cmake -D MANIFEST=build/$(PRESET)/install_manifest.txt -P examples/deploy/uninstall.cmake

package:
	@.ci/deps build package
	@cmake --preset package --log-level=WARNING $(CMAKE_ARGS)
	@cmake --build --preset package --target rastrum
	@cd build/package && cpack

clean:
	rm -rf build
