# shellcheck shell=bash
# Running programs on the lab's hosts.
#
# A host is a network namespace and, with it, a host name, a private /run (thus
# /var/run/wireguard) and a private /var/lib: several daemons with the same
# default paths and the same interface name live side by side, one on each host.

declare -A LAB_PID=()

# Sets LAB_ENTER to the command that enters the host. A router or the core has no
# private directories; there only the network is entered.
lab_enter() {
    if [[ -e /run/lab/$1 ]]; then
        LAB_ENTER=(nsenter --target "$(<"/run/lab/$1")" --net --mount --uts --)
    else
        LAB_ENTER=(nsenter --net="/run/netns/$1" --)
    fi
}

# lab_exec HOST COMMAND...: runs the command on the host, in /.
lab_exec() {
    lab_enter "$1"
    shift
    "${LAB_ENTER[@]}" "$@"
}

# lab_spawn NAME HOST COMMAND...: starts the command on the host in the
# background; output goes to $LAB_DIR/log/NAME.log. HOST "-" is the story itself.
lab_spawn() {
    local name=$1
    LAB_ENTER=()
    [[ $2 == - ]] || lab_enter "$2"
    shift 2
    "${LAB_ENTER[@]}" "$@" >>"$LAB_DIR/log/$name.log" 2>&1 &
    LAB_PID[$name]=$!
    wait_until 5 lab_started "$name" || lab_die "$name does not start"
}

# lab_started NAME: is it the program by now? Until then it is a copy of the
# story, which has a trap for TERM and would swallow one.
lab_started() {
    ! cmp -s "/proc/$$/cmdline" "/proc/${LAB_PID[$1]}/cmdline"
}

# lab_pings_lost NAME: of a ping without -q, how many answers are missing up to
# the last one that came (what was under way at the end is not lost).
lab_pings_lost() {
    sed -n 's/.* icmp_seq=\([0-9]*\) ttl=.*/\1/p' "$LAB_DIR/log/$1.log" | sort -nu |
        awk '{ lost += $1 - last - 1; last = $1 } END { if (!last) exit 1; print lost + 0 }'
}

# lab_log_has NAME REGEX: has the program written such a line yet?
lab_log_has() {
    grep -Eq -- "$2" "$LAB_DIR/log/$1.log"
}

# lab_listens HOST PORT: does anything listen on this TCP port there?
lab_listens() {
    [[ $(lab_exec "$1" ss -Hltn "sport = :$2") ]]
}

# lab_alive NAME: does the program that lab_spawn started still run?
lab_alive() {
    kill -0 "${LAB_PID[$1]}" 2>/dev/null
}

lab_gone() { ! lab_alive "$1"; }

# lab_stop NAME [SIGNAL]: sends the signal (TERM), waits up to 5 s, then kills.
# Returns the program's exit status, 137 when it had to be killed.
lab_stop() {
    local name=$1 signal=${2:-TERM} status=0
    local pid=${LAB_PID[$name]}
    if lab_alive "$name"; then
        kill -s "$signal" "$pid"
    fi
    if ! wait_until 5 lab_gone "$name"; then
        diag "$name does not end on SIG$signal; killing it"
        kill -s KILL "$pid"
    fi
    wait "$pid" 2>/dev/null || status=$? # bash would announce a killed one
    unset "LAB_PID[$name]"
    return "$status"
}

# lab_rss_kib NAME: the program's resident memory.
lab_rss_kib() {
    awk '/^VmRSS:/ { print $2 }' "/proc/${LAB_PID[$1]}/status"
}

# At the end of a story: all are asked to end at once and get 2 s; the kernel
# takes care of what is left when the story's PID 1 exits.
lab_stop_all() {
    local name deadline=$((SECONDS + 2))
    for name in "${!LAB_PID[@]}"; do
        kill -s TERM "${LAB_PID[$name]}" 2>/dev/null
    done
    for name in "${!LAB_PID[@]}"; do
        while lab_alive "$name" && ((SECONDS < deadline)); do
            sleep 0.02
        done
    done
}

# lab_random_file FILE BYTES: makes it, and prints its SHA-256.
lab_random_file() {
    head -c "$2" /dev/urandom >"$1"
    sha256sum <"$1" | cut -d ' ' -f 1
}
