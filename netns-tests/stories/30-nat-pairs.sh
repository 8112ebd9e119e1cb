#!/bin/bash
# Every pair of routers: the path that it gets, the time to the first answer, the time to direct.
#
#                      coord
#                        |
#        --------------inet--------------
#        |    |    (20 ms links)    |    |
#       a1   a2  ... one home     b1   b2 ... and once more
#                    of each kind
#
# Each run starts both daemons anew, behind routers that have forgotten everything. The
# first answer is that of the system's ping; its first packet asks for the path.
#
# PAIR_RUNS=20 PAIR_KINDS=all is the long form, over ten kinds of network (lib/pairs.sh), or over those named
# by PAIR_KINDS=KIND,KIND,...; PAIR_TABLE=FILE
# writes the figures as Markdown, PAIR_SVG=FILE as a picture (netns-tests/nat-matrix does it all).
# PAIR_ONLY=KIND,KIND does one pair.
# time limit: 900 s
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"
. "$LAB_LIB/gateway.sh"
. "$LAB_LIB/pairs.sh"

runs=${PAIR_RUNS:-1}
kinds=(public port-restricted symmetric carrier)
case ${PAIR_KINDS:-} in
'') ;;
all) kinds=("${PAIR_ALL[@]}") ;;
*) IFS=, read -ra kinds <<<"$PAIR_KINDS" ;;
esac
rows=() squares=() tried=0

lab_internet
overlay_coord --listen "$COORD_IP" --listen "$COORD_IP_2"
for kind in "${kinds[@]}"; do
    for side in a b; do
        pair_home "$side-$kind" "$kind"
    done
done
overlay_members "${kinds[@]/#/a-}" "${kinds[@]/#/b-}"

both_ready() {
    overlay_connected "$1" && overlay_connected "$2" && overlay_knows "$1" "$2" && overlay_knows "$2" "$1" &&
        pair_is_ready "$1" "${1#?-}" && pair_is_ready "$2" "${2#?-}"
}

# A search is begun by traffic, and goes on with it.
wait_direct() {
    if [[ $3 == search ]]; then
        local status=0
        lab_spawn traffic "$1" ping -i 0.1 -q "${OVERLAY_IP[$2]}"
        wait_until 10 overlay_is "$1" "$2" direct || status=1
        lab_stop traffic || diag "the traffic ends with status $?"
        return "$status"
    else
        wait_until 5 overlay_is "$1" "$2" direct
    fi
}

# One run of a pair: adds to firsts, and to directs and walls when it became direct.
run_pair() {
    local a=$1 b=$2 direct=$3 began first wall count lost
    pair_forget "$a" "${a#?-}"
    pair_forget "$b" "${b#?-}"
    overlay_start "$a"
    overlay_start "$b"
    wait_until 20 both_ready "$a" "$b" || { pathless+=" (run $run: not connected)"; return; }
    began=$(ms_now)
    first=$(overlay_ping_ms "$a" "$b") || { pathless+=" (run $run: no first answer)"; return; }
    firsts+=("$first")
    if [[ $direct ]]; then
        if wait_direct "$a" "$b" "$direct"; then
            wall=$(($(ms_now) - began))
            directs+=("$(overlay_peer "$a" "$b" .time_to_direct_ms)")
            walls+=("$wall")
        fi
    fi
    # without a direct path it goes on for the time of a whole round of tries
    count=$([[ $direct ]] && echo 5 || echo 90)
    lost=$(lab_exec "$b" ping -c "$count" -i 0.02 -W 2 -q "${OVERLAY_IP[$a]}" | sed -n 's/.* \([0-9]*\)% packet loss.*/\1/p')
    [[ $lost == 0 ]] || pathless+=" (run $run: $lost % lost afterwards)"
    [[ $direct ]] || overlay_is "$a" "$b" relay ||
        pathless+=" (run $run: $(overlay_peer "$a" "$b" .path), not relay)"
    overlay_down "$a" "$b"
}

# "p50 p95" of the numbers, without decimals.
p50_p95() {
    printf '%.0f %.0f\n' "$(percentile 50 "$@")" "$(percentile 95 "$@")"
}

# What must be so for a pair, after its runs.
judge_pair() {
    local name=$1 direct=$2 limit=$3 first_p50 first_p95 p50='' p95='' wall_p50='' wall_p95=''
    if [[ $pathless || ${#firsts[@]} == 0 ]]; then
        not_ok "$name: never without a path" "$pathless"
        return
    fi
    ok "$name: never without a path, in $runs runs"
    read -r first_p50 first_p95 < <(p50_p95 "${firsts[@]}")
    assert_le "$name: first answer within 3 round trips to the coordinator and 100 ms, of $limit ms" \
        "$(percentile 100 "${firsts[@]}")" "$limit"
    if [[ $direct ]]; then
        assert_eq "$name: direct in each of $runs runs" "${#directs[@]}" "$runs"
        ((${#directs[@]} > 0)) || return 0
        read -r p50 p95 < <(p50_p95 "${directs[@]}")
        read -r wall_p50 wall_p95 < <(p50_p95 "${walls[@]}")
        [[ $direct == search || $direct == tcp ]] || assert_le "$name: direct after, in the middle" "$p50" 300
        assert_le "$name: direct after, 95 % of runs" "$p95" "$([[ $direct == search ]] && echo 10000 || echo 2000)"
        # the story sees it by asking again and again, so later, but never sooner
        assert_le "$name: the daemon tells no longer time than the clock on the wall" "$p50" "$wall_p50"
    fi
    squares+=("${name/ and / } ${direct:-relay} ${p50:--} $([[ ! $direct || ${#directs[@]} == "$runs" ]] && echo yes || echo no)")
    rows+=("| $name | ${direct:-relay} | $first_p50 | $first_p95 | ${p50:--} | ${p95:--} | ${wall_p50:--} |")
}

for ((i = 0; i < ${#kinds[@]}; i++)); do
    for ((j = i; j < ${#kinds[@]}; j++)); do
        [[ ${PAIR_ONLY:-${kinds[i]},${kinds[j]}} == "${kinds[i]},${kinds[j]}" ]] || continue
        a=a-${kinds[i]} b=b-${kinds[j]} direct=$(pair_path "${kinds[i]}" "${kinds[j]}")
        [[ $direct != relay ]] || direct=''
        firsts=() directs=() walls=() pathless=''
        limit=$(awk -v a="$(overlay_rtt_ms "$a")" -v b="$(overlay_rtt_ms "$b")" \
            'BEGIN { printf "%.0f", 3 * (a > b ? a : b) + 100 }')
        for ((run = 1; run <= runs; run++)); do
            # the asking side changes with the run, since it matters to NATs
            if ((run % 2)); then
                run_pair "$a" "$b" "$direct"
            else
                run_pair "$b" "$a" "$direct"
            fi
        done
        tried=$((tried + 1))
        judge_pair "${kinds[i]} and ${kinds[j]}" "$direct" "$limit"
    done
done

((tried > 0)) || lab_die "no pair was tried: PAIR_ONLY=${PAIR_ONLY:-} is none of them, in this order"

table() {
    echo "| routers | path | first answer ms, p50 | p95 | direct after ms, p50 | p95 | seen from outside, p50 |"
    echo "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    printf '%s\n' "${rows[@]}"
}
diag "$(table)"
if [[ ${PAIR_TABLE:-} ]]; then
    {
        echo "$runs runs of each pair; links of 10 ms one-way from each home, so 20 ms to the coordinator and 40 ms between homes."
        echo
        table
    } >"$PAIR_TABLE"
fi
if [[ ${PAIR_SVG:-} ]]; then
    printf '%s\n' "${squares[@]}" | pair_svg "$PAIR_SVG" "$runs" "${kinds[@]}"
fi
