# shellcheck shell=bash
# How a story gets into its sealed place and how that place ends (see lab.sh).

lab_die() {
    echo "${0##*/}: $*" >&2
    exit 2
}

# Says what to do about whatever the lab needs and this machine lacks.
lab_check_machine() {
    local program package path
    [[ $EUID == 0 ]] || lab_die "the lab makes network namespaces; run it as root: sudo $0"
    while read -r program package; do
        command -v "$program" >/dev/null ||
            lab_die "$program is missing; install it: sudo apt-get install $package"
    done <<'NEEDED'
ip iproute2
nft nftables
unshare util-linux
nsenter util-linux
setpriv util-linux
ping iputils-ping
sysctl procps
jq jq
NEEDED
    [[ -c /dev/net/tun ]] || lab_die "there is no /dev/net/tun; load it: sudo modprobe tun"
    [[ -x $LAB_TOOLS/wire ]] ||
        lab_die "the lab's programs are not in $LAB_TOOLS; build them (meson setup build && ninja -C build) or set LAB_BIN"
    for path in "$LAB_LIB" "$LAB_BIN" "${TMPDIR:-/tmp}"; do
        [[ $(realpath "$path")/ != @(/run|/var/lib)/* ]] ||
            lab_die "$path is invisible on the lab's hosts, which have a /run and a /var/lib of their own; put it elsewhere"
    done
}

# Ends the inside: asks its process group first, since a shell notices a signal
# only when the command it waits for has ended; then kills its root, which takes
# everything with it.
lab_end_inside() {
    local pid=$1 deadline=$((SECONDS + 5))
    kill -TERM -- "-$pid" 2>/dev/null || return 0
    while kill -0 "$pid" 2>/dev/null; do
        if ((SECONDS > deadline)); then
            kill -KILL "$pid" 2>/dev/null || return 0
        fi
        sleep 0.05
    done
}

lab_outside() {
    local pid status=0 interrupted=''
    lab_check_machine
    LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/tund-lab.XXXXXX")
    trap 'rm -rf "$LAB_DIR"' EXIT
    trap 'interrupted=1; lab_end_inside "$pid"' INT TERM HUP
    # a process group of its own, so that it can be ended as a whole
    set -m
    LAB_INSIDE=$LAB_DIR LAB_BIN=$LAB_BIN setpriv --pdeathsig KILL \
        unshare --mount --net --pid --uts --ipc --fork --kill-child --mount-proc \
        --propagation private bash "$0" "$@" </dev/null &
    pid=$!
    set +m
    echo "$pid" >"$LAB_DIR/pid"
    wait "$pid" || status=$?
    if [[ $interrupted ]]; then
        status=130
    fi
    exit "$status"
}

# Replaces the directories in which programs keep sockets and names.
lab_inside() {
    LAB_DIR=$LAB_INSIDE
    unset LAB_INSIDE
    mount -t tmpfs -o mode=755 lab /run
    mkdir -p /run/lab "$LAB_DIR"/{log,wire,hosts}
    ip link set dev lo up
}

lab_seal() {
    if [[ ${LAB_INSIDE:-} ]]; then
        lab_inside
    else
        lab_outside "$@"
    fi
}
