# shellcheck shell=bash
# Downloads without an end, while a story does something to their path, and how long each stood
# still. A story sources this after overlay.sh.
#
#   transfer_serve a b                two members serve
#   transfer_begin one a b [COUNT]    COUNT (1) downloads at a from b, called "one"; they have begun
#   since=$(ms_now); ...something...
#   transfer_resumes one              all of them move again
#   transfer_resumes one 1000000      all of them have moved so much further
#   transfer_stall one $since         milliseconds for which one of them stood still since then
#   transfer_end one                  test lines: no reset, never ended
#
# The links should be slow (lab_wire SITE rate= queue=), as the machine has better to do than to copy.

declare -A TRANSFER_COUNT=()

transfer_serve() {
    local host
    truncate -s 100G "$LAB_DIR/endless"
    for host; do
        lab_spawn "serve-$host" "$host" "$LAB_TOOLS/httpserve" "$LAB_DIR/endless"
        wait_until 5 lab_log_has "serve-$host" ready || lab_die "httpserve on $host does not start"
    done
}

transfer_files() { # NAME SUFFIX
    local i
    for ((i = 1; i <= TRANSFER_COUNT[$1]; i++)); do
        echo "$LAB_DIR/transfer-$1-$i.$2"
    done
}

transfer_begin() {
    local name=$1 at=$2 from=$3 count=${4:-1} i
    TRANSFER_COUNT[$name]=$count
    for ((i = 1; i <= count; i++)); do
        lab_spawn "transfer-$name-$i" "$at" "$LAB_TOOLS/tcpstall" --json --timeout 3600 \
            --progress "$LAB_DIR/transfer-$name-$i.bytes" --stalls "$LAB_DIR/transfer-$name-$i.stalls" \
            "${OVERLAY_IP[$from]}" 8080
    done
    transfer_resumes "$name" || lab_die "the downloads $name do not begin"
}

# transfer_resumes NAME [BYTES]: each has had so many bytes (1) since this was called; fails after 30 s.
transfer_resumes() {
    local name=$1 before
    mapfile -t before < <(transfer_bytes "$name")
    wait_until 30 transfer_moved "$name" "${2:-1}" "${before[@]}"
}
transfer_bytes() {
    local file bytes
    for file in $(transfer_files "$1" bytes); do
        bytes=$(cat "$file" 2>/dev/null) || bytes=0
        echo "${bytes:-0}"
    done
}
transfer_moved() {
    local name=$1 bytes=$2 now i=0 before
    shift 2
    mapfile -t now < <(transfer_bytes "$name")
    for before; do
        ((now[i++] >= before + bytes)) || return 1
    done
}

# transfer_stalls NAME SINCE_MS: for each download, the longest standstill that ended since then (0: none of 50 ms).
transfer_stalls() {
    local file
    for file in $(transfer_files "$1" stalls); do
        awk -v since="$2" '$1 >= since && $2 > most { most = $2 } END { print most + 0 }' "$file"
    done
}
transfer_stall() { transfer_stalls "$@" | sort -n | tail -n 1; }

transfer_end() {
    local name=$1 i status json
    for ((i = 1; i <= TRANSFER_COUNT[$name]; i++)); do
        status=0
        lab_stop "transfer-$name-$i" TERM || status=$?
        json=$(<"$LAB_DIR/log/transfer-$name-$i.log")
        assert_eq "download $name $i was neither reset nor ended before it was told to" \
            "$status $(jq -r '"\(.reset) \(.error)"' <<<"$json")" "1 false Interrupted system call"
    done
}
