# make demo    a chip-and-PIN purchase and every decline, on real parts
# make run     the same environment in the foreground
# make test    every test; `make check` runs lint and `make house` as well, as CI does
# make way     what one purchase passes in the host: files, lines, modules
# make load    load on an environment of its own, every answer checked
# make core-search   a core dump of the host under load, searched for keys
# make rack    500 cards into a rack that pulls them, by a program that is killed, and read back; then cards a second
# make faults  kills, stalls and cuts under load, then a count: nothing lost, nothing doubled
# make pauses  the store and the token pause under load, then a flood: nothing refused but what is lost
# make simulate  the same promises under millions of random interleavings, by seed
# make deb     Debian packages of host and tools
# make container   a container image of the host, made from nothing
# make walk    docs/getting-started.md played block by block on a machine that is thrown away, an alarm, a restore
# make upgrade a cold upgrade of one of two hosts under 2,000 requests a second
# make dashboard   the dashboard's queries answered by a real Prometheus over a load
# make alarms  the alert rules that `make walk` does not have fire, each on a real host, and silent again
.PHONY: demo run test way check house lint build deps test-deps bench load faults pauses simulate fuzz core-search rack deb container walk upgrade \
	dashboard alarms clean

environment := Config/demo/environment.sh

demo: build
	@$(environment) demo

run: build
	@exec $(environment) run

deps:
	@$(environment) install

build: deps
	@swift build -c release

test-deps:
	@$(environment) install tests

# What works on a token is run a second time on one in a strict mode, which takes no clear keys: NSS in FIPS mode. It can be
# in one of its modes only in one process.
strict_tests := PKCS11Tests|HSMTests|CeremonyTests|KeyBlockTests|KeyLimitTests|PersonalisationTests

# One test at a time: many block threads in sockets, with tokens and waiting for programs, and side by side they keep each
# other waiting past every time limit.
test: test-deps
	swift build --build-tests --explicit-target-dependency-import-check error
	Tests/House/swift-test.sh --skip HostServerTests --skip EndToEndTests
	TEST_NSS=fips Tests/House/swift-test.sh --filter '$(strict_tests)'
	Tests/House/swift-test.sh --filter EndToEndTests
	Tests/House/swift-test.sh --filter HostServerTests
	$(MAKE) way

# What one purchase passes, against the bounds and the list in ARCHITECTURE.md. Needs a build of `make test`.
way:
	@DEMO_BIN="$$(swift build --show-bin-path)" DEMO_DIR=$(CURDIR)/.demo-way DEMO_PORT_A=28583 DEMO_PORT_B=28584 \
	DEMO_ADMIN_PORT=29583 $(environment) with Tests/House/one-purchase.py --check

# The module diagram against Package.swift; labels, access and length of the sources; what documents speak of; whether the
# planted faults still find what they change.
house:
	Tests/House/modules.py --check
	Tests/House/sources.py
	Tests/House/documents.py
	Tests/Simulation/planted-faults.sh --check

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Simulators LoadTests

check: lint house test

bench: deps
	swift run -c release benchmarks $(BENCH)

# The last line printed is the path of the JSON result; an HTML report lies beside it.
PROFILE ?= LoadTests/profiles/standard.yaml
load: build
	@DEMO_DIR=$(CURDIR)/.demo-load DEMO_PORT_A=18583 DEMO_PORT_B=18584 DEMO_ADMIN_PORT=19583 \
	DEMO_REDIS_FSYNC=$${DEMO_REDIS_FSYNC:-everysec} $(environment) load $(PROFILE)

# FAULTS=n for another number on each set-up, SETUPS="alone cluster" for some of them, SEED=n for the plan of an earlier
# campaign. The status is 1 if a promise was broken. Needs iproute2 and iptables as well.
FAULTS ?= 100
SETUPS ?= alone sentinel cluster loss clocks partition safe-partition
faults: build
	@SEED=$(SEED) LoadTests/faults.sh "$$(swift build -c release --show-bin-path)" $(FAULTS) $(SETUPS)

# Needs jq as well.
pauses: build
	@DEMO_BIN="$$(swift build -c release --show-bin-path)" LoadTests/pauses.sh

# SEEDS=n of a hundred messages each, from seed FIRST on.
SEEDS ?= 100000
FIRST ?= 1
simulate: deps
	@swift run -c release simulate --seeds $(SEEDS) --first $(FIRST)

# Two Debian packages in .build/packages. Needs patchelf and dpkg-dev as well.
deb: build
	@Config/debian/build.sh "$$(swift build -c release --show-bin-path)" .build/packages

# issuer-host:latest in buildah's own store; BUILDAH="--root DIR --runroot DIR" for another. Needs root and buildah as well.
IMAGE ?= issuer-host:latest
container: build
	@Config/container/build.sh "$$(swift build -c release --show-bin-path)" $(IMAGE) --storage-driver vfs $(BUILDAH)

# Need root, and what the tests need.
walk: build test-deps
	@Tests/Packaging/walk.sh "$$(swift build -c release --show-bin-path)"

upgrade: build
	@LoadTests/upgrade.sh "$$(swift build -c release --show-bin-path)"

dashboard: build test-deps
	@LoadTests/dashboard.py "$$(swift build -c release --show-bin-path)"

alarms: build test-deps
	@LoadTests/alarms.py "$$(swift build -c release --show-bin-path)"

# Needs gdb, gcc and python3 as well.
core-search: build
	@Tests/CoreSearch/core-search.sh

# CARDS=n for another number. The token alone is measured in the same run.
CARDS ?= 500
rack: build test-deps
	RACK_CARDS=$(CARDS) swift test --no-parallel --filter RackCampaignTests
	LoadTests/personalisation.sh "$$(swift build -c release --show-bin-path)"

clean:
	rm -rf .build .demo .demo-load .demo-way

# libFuzzer on frames, messages, chip data and dialect files, so many seconds each.
SECONDS ?= 60
fuzz:
	Tests/Fuzz/fuzz.sh $(SECONDS)
