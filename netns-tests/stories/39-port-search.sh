#!/bin/bash
# A NAT that gives each peer another port, against one that lets in only ports it has sent to: the port
# is found, in a carrier's block and where ports are counted, and all ports are not searched.
#
#        coord (55.1.0.10 and 55.1.0.11)
#          |
#        inet
#        |   |   |   |      20 ms links
#       pr  blk  seq  all   port-restricted; symmetric: a block of 512 ports, counted, any port
#
# SEARCH_RUNS=50 is the long form.
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

runs=${SEARCH_RUNS:-3}
lab_internet
overlay_coord --listen "$COORD_IP" --listen "$COORD_IP_2"
lab_home pr port-restricted
lab_home blk symmetric-block
lab_home seq symmetric-sequential
lab_home all symmetric
for home in pr blk seq; do
    lab_prove "$home"
done
overlay_members pr blk seq all

knows_nat() { tundctl "$1" netcheck --json | jq -e '.v4.mapping != "unknown"' && overlay_connected "$1"; }
# What both ends sent on punches and probes of candidates, with IP and UDP headers.
spent() { tundctl "$1" explain "$2" --json | jq '.search.bytes'; }

for host in blk seq; do
    direct=0 times=() bytes=()
    for ((run = 1; run <= runs; run++)); do
        lab_forget "$host"
        lab_forget pr
        overlay_up pr "$host"
        wait_until 10 knows_nat pr && wait_until 10 knows_nat "$host" || lab_die "no NAT check"
        if ((run % 2)); then from=pr to=$host; else from=$host to=pr; fi
        if tundctl "$from" ping --until-direct -c 100 -i 0.1 "$to" >"$LAB_DIR/log/ping.log"; then
            direct=$((direct + 1))
            times+=("$(overlay_peer "$from" "$to" .time_to_direct_ms)")
        fi
        bytes+=("$(($(spent pr "$host") + $(spent "$host" pr)))")
        overlay_down pr "$host"
    done
    diag "$host: $direct of $runs direct; ms p50 $(percentile 50 "${times[@]}") p95 $(percentile 95 "${times[@]}"); bytes at most $(percentile 100 "${bytes[@]}")"
    assert_ge "pr and $host: direct within 10 s, in 98 of 100 runs" "$((100 * direct / runs))" 98
    assert_le "and the search cost at most 20 KB" "$(percentile 100 "${bytes[@]}")" 20000
done

overlay_up pr all
wait_until 10 knows_nat pr && wait_until 10 knows_nat all || lab_die "no NAT check"
overlay_ping pr all >/dev/null
explained() { tundctl all explain pr | grep -q 'the budget is 20000 bytes'; }
assert_soon "all ports would cost too much, and it says so" 15 explained
assert "it stays on the relay" overlay_is pr all relay
