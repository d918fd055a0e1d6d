# Headroom's workbench. `make demo` shows it, `make test` proves it.
# Everything that is made goes to build/ and internal/web/dist/.

GO            ?= go
GOLANGCI_LINT := v2.15.0
BIN           := build/bin
UI            := internal/web/ui
FUZZTIME      ?= 5m
FUZZPKG       ?= ./...
UI_SOURCES    := $(shell find $(UI)/src $(UI)/public -type f) $(wildcard $(UI)/*.html $(UI)/*.ts $(UI)/*.js $(UI)/*.mjs)

.DEFAULT_GOAL := build
.PHONY: deps deps-test deps-interop deps-bench deps-accuracy accuracy interop profile-signalling profile-media build web web-test test race lint fuzz bench bench-dsp bench-media soak kills vad-compare e2e demo pictures clean

deps: ## compilers and libraries (Debian, Ubuntu)
	@deploy/dev/deps.sh

deps-test: ## and what the tests call: sipp, baresip, PulseAudio, PostgreSQL
	@deploy/dev/deps.sh test

deps-interop: ## what make interop calls: those and linphone
	@deploy/dev/deps.sh interop

deps-bench: ## what make bench-media measures the service beside: rtpengine
	@deploy/dev/deps.sh bench || echo "deps: without rtpengine its rows are left out"

deps-accuracy: ## and what the fault bench uses: voices to install, ffmpeg to decode them
	@deploy/dev/deps.sh accuracy

build: deps web ## the three programs, in build/bin
	$(GO) build -o $(BIN)/ ./cmd/...

# The pages are built on a Node and npm that are locked in ui/toolchain: Vite wants a newer
# Node than Debian 12 has, and ui/run.mjs runs everything else on that one.
web: internal/web/dist/index.html ## the pages

internal/web/dist/index.html: $(UI)/node_modules/.installed $(UI_SOURCES)
	cd $(UI) && node run.mjs vite build --logLevel warn
	@touch $@

$(UI)/node_modules/.installed: $(UI)/package-lock.json $(UI)/toolchain/package-lock.json | deps
	cd $(UI) && npm ci --prefix toolchain --no-audit --no-fund --loglevel=error
	cd $(UI) && node run.mjs npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web-test: web ## types and unit tests of the pages
	cd $(UI) && node run.mjs svelte-check --tsconfig ./tsconfig.json --fail-on-warnings
	cd $(UI) && node run.mjs vitest run

pictures: build deps-test ## the pictures in the README, from a run of the demo
	$(GO) test -count=1 -run TheDemo ./internal/testenv -args -pictures=$(CURDIR)/docs/pictures

demo: build ## the whole product on this machine, with four headsets
	$(BIN)/headroom demo

test: deps-test web-test ## everything, race detector included
	$(GO) vet ./... ./testdata
	$(GO) test -race -timeout 9m $$($(GO) list ./... | grep -v /dsp/) ./testdata # which the dots leave out
	$(GO) test -race -short ./dsp/...
	$(GO) test ./dsp/... # and the long ones, which have no goroutines
	$(GO) test -run 'Alloc' ./media/...
	$(GO) test -run 'Speech' ./internal/testenv/impair # all of it, which takes long under the race detector

race: deps-test web ## the Go tests under the race detector, twice, in random order
	$(GO) test -race -count=2 -shuffle=on -timeout 18m ./...

e2e: build deps-test ## only the end-to-end tests
	$(GO) test -race -v -timeout 9m ./internal/testenv/...

lint: build/lint/golangci-lint web ## the import fences and the linters
	build/lint/golangci-lint run ./... ./testdata
	@bash -n deploy/dev/deps.sh

build/lint/golangci-lint:
	GOBIN=$(CURDIR)/build/lint $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)

fuzz: deps ## every fuzz target for FUZZTIME each, on one core and behind everything else; FUZZPKG=./media/sip/... for some
	@$(GO) list $(FUZZPKG) | while read -r pkg; do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$f"; nice $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -parallel 1 $$pkg || exit 1; \
	  done; \
	done

bench: deps ## meters, codecs, the bridge, the queue
	$(GO) test -run '^$$' -bench . -benchmem ./dsp/... ./media/... ./internal/acd/...

bench-dsp: deps deps-accuracy web ## docs/bench-dsp.md anew: what the meter costs, beside ffmpeg and sox
	$(GO) build -o $(BIN)/headroom ./cmd/headroom
	$(GO) run ./internal/benchdsp -headroom $(BIN)/headroom -work build/bench-dsp -page docs/bench-dsp.md

bench-media: build deps-bench ## docs/bench-media.md anew: what a call costs, beside rtpengine (12 minutes)
	$(GO) run ./internal/benchmedia -headroom $(BIN)/headroom -json build/bench-media.json -page docs/bench-media.md

SOAKTIME ?= 60m
soak: build ## calls come and go for SOAKTIME: none lost, none stuck, memory and goroutines flat; the log goes to build/soak.log
	$(GO) run ./internal/benchmedia -headroom $(BIN)/headroom -soak $(SOAKTIME) -log build/soak.log

KILLS ?= 100
kills: build ## kill -9 under load, KILLS times: each recording plays to within a second of the kill; the log goes to build/kills.log
	$(GO) run ./internal/benchmedia -headroom $(BIN)/headroom -kills $(KILLS) -log build/kills.log

accuracy: deps deps-accuracy ## docs/accuracy.md anew: every fault, on real voices, found or not (45 minutes)
	$(GO) run ./internal/accuracy -doc docs/accuracy.md

interop: build deps-interop ## docs/interop.md anew: what other people's SIP makes of the service (16 minutes)
	$(GO) run ./internal/interop -headroom $(BIN)/headroom -agent $(BIN)/headroom-agent -load $(BIN)/headroom-load -doc docs/interop.md -json build/interop.json

profile-signalling: build deps-test ## the CPU under 50 calls a second, as docs/performance.md has it (2 minutes)
	$(GO) run ./internal/interop -headroom $(BIN)/headroom -agent $(BIN)/headroom-agent -load $(BIN)/headroom-load \
	  -work build/profile -json build/profile.json -only load/ -profile build/signalling.pprof
	$(GO) tool pprof -top -cum -nodecount=60 $(BIN)/headroom build/signalling.pprof

profile-media: ## the CPU of 100 metered calls' audio, as docs/performance.md has it
	@mkdir -p $(BIN)
	$(GO) build -o $(BIN)/mediaprofile ./internal/mediaprofile
	$(BIN)/mediaprofile -case metered -calls 100 -cpuprofile build/media.pprof
	$(GO) tool pprof -top -cum -nodecount=60 $(BIN)/mediaprofile build/media.pprof

vad-compare: deps deps-accuracy ## docs/vad.md anew: our speech detector beside others (10 minutes)
	$(GO) run ./internal/vadcompare -o docs/vad.md

clean: ## what was made here
	rm -rf build internal/web/dist/assets internal/web/dist/index.html internal/web/dist/favicon.svg $(UI)/node_modules $(UI)/toolchain/node_modules
