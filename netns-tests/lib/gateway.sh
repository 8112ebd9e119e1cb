# shellcheck shell=bash
# Home gateways that map ports: a lab_home's router with miniupnpd (PCP, NAT-PMP, UPnP IGD 2). A story
# sources this after overlay.sh. miniupnpd takes only outside addresses that look public, as the lab's do.
#
#   gateway_home home symmetric            a home whose router maps ports on request
#   gateway_home home symmetric only=upnp  ... by UPnP alone
#   gateway_daemon home TERM; gateway_daemon home start

declare -A GATEWAY_ONLY=() GATEWAY_LINES=() # site -> protocol alone; further lines of the configuration

# gateway_home HOME KIND [only=pcp|natpmp|upnp] [lies=1] [lines=...] [OPTION of lab_home...]
#   lies=1   whatever is mapped is not forwarded: its rules are written where no packet comes by
#   lines=   of miniupnpd's configuration, with \n between
gateway_home() {
    local home=$1 kind=$2 only='' lies=0 lines='' rest=() word
    shift 2
    for word; do
        case $word in
        only=*) only=${word#*=} ;;
        lies=*) lies=${word#*=} ;;
        lines=*) lines=${word#*=} ;;
        *) rest+=("$word") ;;
        esac
    done
    lab_home "$home" port-restricted "${rest[@]}"
    GATEWAY_ONLY[$home]=$only GATEWAY_LINES[$home]=$lines
    gateway_load "$home" "$kind" "$lies"
    gateway_daemon "$home" start
}

# gateway_load HOME KIND [LIES]: its rules, fresh; whatever was mapped is forgotten.
gateway_load() {
    local router=${LAB_ROUTER[$1]} pick=masquerade jump='jump prerouting_miniupnpd'
    [[ $2 != symmetric ]] || pick='masquerade fully-random'
    [[ ${3:-0} == 0 ]] || jump=''
    lab_exec "$router" nft -f - <<RULES
flush ruleset
table inet filter {
 chain miniupnpd {
 }
 chain prerouting_miniupnpd {
 }
 chain postrouting_miniupnpd {
 }
 chain input {
  type filter hook input priority filter; policy accept;
  iifname wan ct state established,related accept
  iifname wan meta l4proto { icmp, ipv6-icmp } accept
  iifname wan drop
  $([[ ${GATEWAY_ONLY[$1]:-} != natpmp ]] || echo 'udp dport 5351 @th,64,8 2 drop')
  $([[ ${GATEWAY_ONLY[$1]:-} != upnp ]] || echo 'meta nfproto ipv6 udp dport 5351 reject')
 }
 chain forward {
  type filter hook forward priority filter; policy drop;
  ct state established,related accept
  iifname lan accept
  jump miniupnpd
 }
 chain prerouting {
  type nat hook prerouting priority dstnat; policy accept;
  $jump
 }
 chain postrouting {
  type nat hook postrouting priority srcnat; policy accept;
  jump postrouting_miniupnpd
  oifname wan meta nfproto ipv4 $pick
 }
}
RULES
    "$LAB_TOOLS/ctflush" "$router"
}

# gateway_lies HOME PORT: whatever comes for this outside port is forwarded no more, though it stays mapped.
gateway_lies() {
    lab_exec "${LAB_ROUTER[$1]}" nft -f - <<RULES
table inet filter {
 chain lies {
  type filter hook prerouting priority raw; policy accept;
  iifname wan udp dport $2 drop
 }
}
RULES
}

gateway_conf() {
    local home=$1 lan=${LAB_PREFIX[$1]} pmp=yes upnp=yes
    [[ ${GATEWAY_ONLY[$home]} != upnp ]] || pmp=no
    [[ ${GATEWAY_ONLY[$home]} == upnp || ! ${GATEWAY_ONLY[$home]} ]] || upnp=no
    cat <<CONF
ext_ifname=wan
listening_ip=lan
http_port=5000
enable_natpmp=$pmp
enable_upnp=$upnp
secure_mode=yes
system_uptime=no
notify_interval=60
min_lifetime=3
minissdpdsocket=$LAB_DIR/no-minissdpd
lease_file=$LAB_DIR/leases-$home
uuid=00000000-0000-4000-8000-00000000000${LAB_NUMBER[$home]}
CONF
    printf '%b\n' "${GATEWAY_LINES[$home]}"
    echo "allow 1024-65535 $lan 1024-65535"
    echo "deny 0-65535 0.0.0.0/0 0-65535"
}

# gateway_daemon HOME start|SIGNAL
gateway_daemon() {
    local home=$1 router=${LAB_ROUTER[$1]} conf=$LAB_DIR/miniupnpd-$1.conf port=5351
    if [[ $2 != start ]]; then
        lab_stop "gateway-$home" "$2" || diag "miniupnpd of $home ends with status $?"
        return
    fi
    gateway_conf "$home" >"$conf"
    [[ ${GATEWAY_ONLY[$home]} != upnp ]] || port=1900
    lab_spawn "gateway-$home" "$router" /usr/sbin/miniupnpd -d -f "$conf" -P "$LAB_DIR/miniupnpd-$home.pid"
    wait_until 5 gateway_listens "$router" "$port" || lab_die "miniupnpd of $home does not start"
}
gateway_listens() { [[ $(lab_exec "$1" ss -Hlun "sport = :$2") ]]; }

# gateway_reboot HOME KIND: power off, and on again: no rule, lease or connection is known any more.
gateway_reboot() {
    gateway_daemon "$1" KILL
    rm -f "$LAB_DIR/leases-$1"
    gateway_load "$1" "$2"
    gateway_daemon "$1" start
}

# gateway_maps HOME PORT: does its router forward this outside port now?
gateway_chain() { lab_exec "${LAB_ROUTER[$1]}" nft list chain inet filter prerouting_miniupnpd; }
gateway_maps() { [[ $(gateway_chain "$1") == *"dport $2 dnat"* ]]; }
gateway_maps_not() { ! gateway_maps "$@"; }
gateway_rules() { gateway_chain "$1" | grep -c dnat || :; }

# portmap_own HOST FILTER: a jq filter over the mapping of the member's own port.
portmap_own() {
    overlay_status "$1" ".portmap.mappings[] | select(.own and .family == \"ipv4\") | $2"
}
portmap_is() { [[ $(portmap_own "$1" .state) == "$2" ]]; }
portmap_by() { [[ $(portmap_own "$1" '"\(.state) \(.by)"') == "mapped $2" ]]; }
portmap_verdict_is() { [[ $(portmap_own "$1" .verdict) == "$2" ]]; }
portmap_port() { portmap_own "$1" '.external | split(":")[1]'; }
