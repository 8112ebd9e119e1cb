# shellcheck shell=bash
# The ten kinds of network that a machine may be in, for stories about pairs of them: what each is in the
# lab, which path two of them get by theory, and the result as a table and as a picture.

# shellcheck disable=SC2034 # for stories
PAIR_ALL=(public full-cone address-restricted port-restricted symmetric-sequential symmetric-block carrier
    gateway v6-firewall udp-blocked)

# pair_home NAME KIND: a home of that kind. gateway: symmetric, but with miniupnpd, which maps a port;
# v6-firewall: port-restricted IPv4, and IPv6 behind a stateful firewall; udp-blocked: TCP 80 and 443 only.
# udp-dropped, which is none of the ten: port-restricted, without UDP, all TCP passes.
pair_home() {
    case $2 in
    gateway) gateway_home "$1" symmetric ;;
    v6-firewall) lab_home "$1" port-restricted v6=firewall ;;
    udp-blocked) lab_home "$1" port-restricted && lab_block_udp "$1" ;;
    udp-dropped) lab_home "$1" port-restricted && lab_drop_udp "$1" ;;
    *) lab_home "$1" "$2" && lab_prove "$1" ;;
    esac
}

# pair_forget NAME KIND: its router forgets every mapping.
pair_forget() {
    if [[ $2 == gateway ]]; then
        gateway_load "$1" symmetric
    else
        lab_forget "$1"
    fi
}

# pair_is_ready NAME KIND: nothing is left that would come by itself before two of them meet.
pair_is_ready() {
    [[ $2 != gateway ]] || portmap_verdict_is "$1" answered
}

# pair_path KIND KIND: direct, search (direct, once a port has been found), tcp (direct over TCP) or relay, by
# theory. For TCP, the routers that are no masquerade with random ports are all port-restricted.
pair_path() {
    local strict='^(port-restricted|carrier|v6-firewall)$' hard='^symmetric-(sequential|block)$'
    if [[ " $* " == *" udp-blocked "* ]]; then
        echo relay
    elif [[ " $* " == *" udp-dropped "* ]]; then
        [[ " $* " == *" symmetric "* || " $* " == *" gateway "* ]] && echo relay || echo tcp
    elif [[ " $* " == *" gateway "* ]]; then
        echo direct
    elif [[ $1 =~ $hard && $2 =~ $hard ]]; then
        echo relay
    elif [[ ($1 =~ $hard && $2 =~ $strict) || ($2 =~ $hard && $1 =~ $strict) ]]; then
        echo search
    elif lab_can_punch "$1" "$2"; then
        echo direct
    else
        echo relay
    fi
}

# pair_svg FILE RUNS KIND...: a picture of the rows "A B PATH P50 MET" on standard input: one square for
# each pair, its colour the path, in it the milliseconds to the direct path in the middle.
pair_svg() {
    local file=$1 runs=$2
    shift 2
    awk -v runs="$runs" -v kinds="$*" '
        BEGIN {
            n = split(kinds, kind, " ")
            for (i = 1; i <= n; i++) at[kind[i]] = i
            size = 62; left = 170; top = 150
            width = left + n * size + 60; height = top + n * size + 60
            printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n", width, height
            printf "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n", width, height
            printf "<text x=\"10\" y=\"24\" font-size=\"16\">Path between two members, by network; ms to direct, p50 of %d</text>\n", runs
            for (i = 1; i <= n; i++) {
                printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 8, top + (i - 0.4) * size, kind[i]
                printf "<text transform=\"translate(%d,%d) rotate(-45)\">%s</text>\n", left + (i - 0.6) * size, top - 8, kind[i]
            }
        }
        function square(row, column) {
            x = left + (column - 1) * size; y = top + (row - 1) * size
            printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\"/>\n", x, y, size - 2, size - 2, fill
            printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x + size / 2 - 1, y + size / 2 + 4, word
        }
        {
            fill = $5 != "yes" ? "#e06666" : $3 == "direct" ? "#a8d8a0" : $3 == "search" ? "#f4d98b" : $3 == "tcp" ? "#9ecae1" : "#c9d3df"
            word = $4 == "-" ? "relay" : $4
            square(at[$1], at[$2])
            if ($1 != $2) square(at[$2], at[$1])
        }
        END {
            y = top + n * size + 24
            printf "<text x=\"10\" y=\"%d\">green: direct. yellow: direct, by a search for the port. blue: direct over TCP. grey: relay, as theory has it. red: not as theory has it.</text>\n</svg>\n", y
        }' >"$file"
}
