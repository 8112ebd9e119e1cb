# shellcheck shell=bash
# What a story says: TAP-like lines that the runner counts. A sentence that
# holds is "ok - sentence", one that does not is "not ok - sentence" and is
# followed by lines that begin with "#" and tell what was seen instead.

LAB_PASSED=0
LAB_FAILED=0
# the status with which `require` ends a story: its failure is counted already
readonly LAB_REQUIRED=3

diag() {
    local line
    while IFS= read -r line; do
        echo "# $line"
    done <<<"$*"
}

# ok SENTENCE: counts a success.
ok() {
    LAB_PASSED=$((LAB_PASSED + 1))
    echo "ok - $1"
}

# not_ok SENTENCE [DETAIL...]: counts a failure; the story goes on.
not_ok() {
    LAB_FAILED=$((LAB_FAILED + 1))
    echo "not ok - $1"
    shift
    local detail
    for detail; do
        diag "$detail"
    done
}

# Runs a command quietly, in this shell, and keeps what it wrote in LAB_OUTPUT. It
# sits in a condition at every call, so the command's failure never ends the story.
lab_quietly() {
    local status=0 file=$LAB_DIR/output.$BASHPID
    "$@" >"$file" 2>&1 || status=$?
    LAB_OUTPUT=$(<"$file")
    return "$status"
}

# assert SENTENCE COMMAND...: the command must succeed.
assert() {
    local sentence=$1
    shift
    if lab_quietly "$@"; then
        ok "$sentence"
    else
        not_ok "$sentence" "status $? from: $*" "$LAB_OUTPUT"
    fi
}

# assert_fails SENTENCE COMMAND...: the command must fail (but not be missing).
assert_fails() {
    local sentence=$1 status=0
    shift
    lab_quietly "$@" || status=$?
    if ((status != 0 && status < 126)); then
        ok "$sentence"
    else
        not_ok "$sentence" "status $status from: $*" "$LAB_OUTPUT"
    fi
}

# assert_status SENTENCE STATUS COMMAND...: the command must end with this status.
assert_status() {
    local sentence=$1 wanted=$2 status=0
    shift 2
    lab_quietly "$@" || status=$?
    if ((status == wanted)); then
        ok "$sentence"
    else
        not_ok "$sentence" "status $status, not $wanted, from: $*" "$LAB_OUTPUT"
    fi
}

# require SENTENCE COMMAND...: as assert, but a failure ends the story.
require() {
    local before=$LAB_FAILED
    assert "$@"
    ((LAB_FAILED == before)) || exit "$LAB_REQUIRED"
}

# assert_eq SENTENCE GOT WANTED
assert_eq() {
    if [[ $2 == "$3" ]]; then
        ok "$1"
    else
        not_ok "$1" "got:    $2" "wanted: $3"
    fi
}

# assert_match SENTENCE TEXT REGEX
assert_match() {
    if [[ $2 =~ $3 ]]; then
        ok "$1"
    else
        not_ok "$1" "got: $2" "no match for: $3"
    fi
}

# lab_compare A OPERATOR B: of decimal numbers; anything else is false.
lab_compare() {
    awk -v a="$1" -v b="$3" "BEGIN {
        number = \"^-?[0-9]+([.][0-9]+)?\$\"
        exit !(a ~ number && b ~ number && a + 0 $2 b + 0)
    }"
}

# assert_le SENTENCE VALUE MOST, assert_ge SENTENCE VALUE LEAST: decimal numbers.
assert_le() {
    if lab_compare "$2" '<=' "$3"; then
        ok "$1 ($2)"
    else
        not_ok "$1" "got $2, at most $3 was wanted"
    fi
}
assert_ge() {
    if lab_compare "$2" '>=' "$3"; then
        ok "$1 ($2)"
    else
        not_ok "$1" "got $2, at least $3 was wanted"
    fi
}

# assert_between SENTENCE VALUE LEAST MOST
assert_between() {
    if lab_compare "$2" '>=' "$3" && lab_compare "$2" '<=' "$4"; then
        ok "$1 ($2)"
    else
        not_ok "$1" "got $2, from $3 to $4 was wanted"
    fi
}

# ms_now: milliseconds since 1970.
ms_now() {
    local us=${EPOCHREALTIME/./}
    echo $((us / 1000))
}

# measure_ms VARIABLE COMMAND...: sets the variable to how long the command took;
# returns the command's status.
measure_ms() {
    local measured_variable=$1 measured_start measured_status=0
    shift
    measured_start=$(ms_now)
    "$@" || measured_status=$?
    printf -v "$measured_variable" '%s' $(($(ms_now) - measured_start))
    return "$measured_status"
}

# wait_until DEADLINE_S COMMAND...: repeats the command every 20 ms (after 3 s: every
# 200 ms) until it succeeds; fails when the deadline (decimals allowed) has passed. Quiet.
wait_until() {
    local seconds=$1 start deadline
    shift
    start=$(ms_now)
    deadline=$(awk -v now="$start" -v s="$seconds" 'BEGIN { printf "%.0f", now + s * 1000 }')
    until "$@" >/dev/null 2>&1; do
        (($(ms_now) < deadline)) || return 1
        if (($(ms_now) < start + 3000)); then
            sleep 0.02
        else
            sleep 0.2
        fi
    done
}

# assert_soon SENTENCE DEADLINE_S COMMAND...: the command must succeed in time;
# says how long it took.
assert_soon() {
    local sentence=$1 seconds=$2 took_ms
    shift 2
    if measure_ms took_ms wait_until "$seconds" "$@"; then
        ok "$sentence ($took_ms ms)"
    else
        not_ok "$sentence" "not within $seconds s: $*" "$("$@" 2>&1)"
    fi
}

# percentile P NUMBER..., median NUMBER...: for lists of measurements.
percentile() {
    local p=$1
    shift
    printf '%s\n' "$@" | sort -n | awk -v p="$p" '{ v[NR] = $1 } END { i = int(p / 100 * (NR - 1) + 0.5) + 1; print v[i] }'
}
median() { percentile 50 "$@"; }

lab_on_error() {
    LAB_BROKEN="line $2 of ${3##*/}: $1"
}

# The last lines of every log, for whoever must find out what went wrong.
lab_show_logs() {
    local log
    for log in "$LAB_DIR"/log/*.log; do
        [[ -s $log ]] || continue
        diag "--- ${log##*/}, last lines"
        diag "$(tail -n "${LAB_LOG_LINES:-25}" "$log" | tr -cd '\11\12\40-\176')"
    done
}

# With --keep the place stays as it is until Ctrl-C.
lab_wait_for_visitors() {
    diag "kept: sudo ${LAB_LIB%/lib}/enter $LAB_DIR HOST [COMMAND...]; logs in $LAB_DIR/log; Ctrl-C ends it"
    trap : TERM INT
    sleep infinity &
    wait $!
}

lab_on_exit() {
    local status=$1
    trap '' ERR
    set +e
    # the story may have ended within a command whose output was redirected
    exec 1>&"$LAB_STDOUT"
    exec 2>&"$LAB_STDERR"
    if ((status != 0 && status != LAB_REQUIRED)); then
        not_ok "the story ran to its end" "status $status at ${LAB_BROKEN:-an unknown place}"
    fi
    ((LAB_FAILED == 0)) || lab_show_logs
    [[ ! ${LAB_KEEP:-} ]] || lab_wait_for_visitors
    lab_stop_all
    echo "1..$((LAB_PASSED + LAB_FAILED))"
    exit $((LAB_FAILED > 0))
}

lab_begin() {
    exec {LAB_STDOUT}>&1 {LAB_STDERR}>&2
    trap 'lab_on_error "$BASH_COMMAND" "$LINENO" "${BASH_SOURCE[0]}"' ERR
    trap 'lab_on_exit $?' EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT HUP
}
