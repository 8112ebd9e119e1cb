# shellcheck shell=bash
# What a story does to the network while programs run on it.

# lab_wire SITE SETTING...: changes the site's internet link, e.g.
# "delay=50 ab.loss=5"; ab is from the home to the internet. "coord" is the
# coordinator's link. "stats" prints counts.
lab_wire() {
    local site=$1
    shift
    "$LAB_TOOLS/wirectl" "$LAB_DIR/wire/$site" "$@"
}

# lab_link SITE down|up: pulls the plug of its internet link, and puts it back.
lab_link() {
    case $2 in
    down) lab_wire "$1" cut=1 >/dev/null ;;
    up) lab_wire "$1" cut=0 >/dev/null ;;
    *) lab_die "lab_link $1: down or up, not \"$2\"" ;;
    esac
}

# Where packets from A to B pass, and by which interfaces: "NETNS FROM TO".
lab_meeting_point() {
    local a=$1 b=$2 netns=inet
    if [[ ${LAB_CARRIER[$a]} == "${LAB_CARRIER[$b]}" && ${LAB_CARRIER[$a]} ]]; then
        netns=${LAB_CARRIER[$a]}
    else
        a=${LAB_CARRIER[$a]:-$a}
        b=${LAB_CARRIER[$b]:-$b}
    fi
    echo "$netns s${LAB_NUMBER[$a]} s${LAB_NUMBER[$b]}"
}

lab_cut_change() {
    local netns from to
    read -r netns from to < <(lab_meeting_point "$2" "$3")
    lab_exec "$netns" nft "$1" element inet cut pairs "{ $from . $to }"
}

# lab_cut_one_way A B: from now on no UDP goes from home A straight to home B. It
# is lost in the middle of the internet: the routers at both ends keep what they
# have mapped, and traffic by way of the coordinator passes as before.
lab_cut_one_way() { lab_cut_change add "$1" "$2"; }
lab_restore_one_way() { lab_cut_change delete "$1" "$2"; }

# lab_cut A B, lab_restore A B: the same both ways.
lab_cut() {
    lab_cut_one_way "$1" "$2"
    lab_cut_one_way "$2" "$1"
}
lab_restore() {
    lab_restore_one_way "$1" "$2"
    lab_restore_one_way "$2" "$1"
}

# lab_black_hole HOME BYTES|none: whatever is longer than that (with its IP header) vanishes on the home's
# internet link, both ways, and nobody is told. Behind the wire, where no packet is a train of several.
lab_black_hole() {
    local link=s${LAB_NUMBER[$1]}
    lab_exec inet nft -f - <<RULES
table inet hole_$link
delete table inet hole_$link
RULES
    [[ $2 != none ]] || return 0
    lab_exec inet nft -f - <<RULES
table inet hole_$link {
 chain forward {
  type filter hook forward priority filter - 5; policy accept;
  iifname "$link" meta length > $2 drop
  oifname "$link" meta length > $2 drop
 }
}
RULES
}

# lab_forget SITE: its router forgets every mapping, as after a power cut.
lab_forget() {
    lab_nat "$1" "${LAB_KIND[$1]}"
}

# lab_block_udp HOME: from now on its router lets nothing out but TCP to ports 80 and 443
# (and ICMP), as many offices and hotels do; lab_allow_udp HOME takes that back.
lab_block_udp() {
    lab_exec "${LAB_ROUTER[$1]}" nft -f - <<'RULES'
table inet office {
 chain forward {
  type filter hook forward priority filter - 5; policy accept;
  meta l4proto { icmp, icmpv6 } accept
  tcp dport { 80, 443 } accept
  tcp sport { 80, 443 } accept
  drop
 }
}
RULES
}
lab_allow_udp() {
    lab_exec "${LAB_ROUTER[$1]}" nft delete table inet office
}

# lab_drop_udp HOME: from now on its router lets no UDP pass, and TCP to every port; lab_allow_udp takes that back.
lab_drop_udp() {
    lab_exec "${LAB_ROUTER[$1]}" nft -f - <<'RULES'
table inet office {
 chain forward {
  type filter hook forward priority filter - 5; policy accept;
  meta l4proto udp drop
 }
}
RULES
}

# lab_reset_tcp HOME: from now on its router answers TCP that nobody inside has asked for with a reset, which it
# dropped before, as RFC 5382 (REQ-4) advises against for some seconds.
lab_reset_tcp() {
    lab_exec "${LAB_ROUTER[$1]}" nft -f - <<'RULES'
table inet resets {
 chain input {
  type filter hook input priority filter - 5; policy accept;
  iifname wan ct state new meta l4proto tcp counter reject with tcp reset
 }
}
RULES
}

# lab_cut_tcp HOME PORT: its router drops all TCP from now on, but for what goes to or comes from that port.
lab_cut_tcp() {
    lab_exec "${LAB_ROUTER[$1]}" nft -f - <<RULES
table inet cut {
 chain forward {
  type filter hook forward priority filter - 5; policy accept;
  tcp dport $2 accept
  tcp sport $2 accept
  meta l4proto tcp counter drop
 }
}
RULES
}

# lab_proxy HOME [USER:PASSWORD]: from now on nothing leaves the home but through an HTTP
# proxy on its router, port 3128, which lets CONNECT pass to port 443 only.
lab_proxy() {
    local router=${LAB_ROUTER[$1]} config=$LAB_DIR/proxy-$1.conf
    {
        echo "Port 3128"
        echo "Timeout 600"
        echo "ConnectPort 443"
        [[ ! ${2:-} ]] || echo "BasicAuth ${2%%:*} ${2#*:}"
    } >"$config"
    lab_exec "$router" nft -f - <<'RULES'
table inet proxied {
 chain forward {
  type filter hook forward priority filter - 5; policy drop;
 }
}
RULES
    lab_spawn "proxy-$1" "$router" tinyproxy -d -c "$config"
    wait_until 5 lab_listens "$router" 3128 || lab_die "the proxy of $1 does not start"
}

# lab_rebind SITE: its NAT gives all UDP other outside ports from now on; what it had mapped is gone. They are a
# few, as a daemon has more than one socket: with a single port, two that ask one server would be in each other's way.
LAB_REBOUND=40000
lab_rebind() {
    local router=${LAB_ROUTER[$1]}
    LAB_REBOUND=$((LAB_REBOUND + 64))
    lab_exec "$router" nft insert rule ip nat postrouting oifname wan meta l4proto udp \
        masquerade to ":$LAB_REBOUND-$((LAB_REBOUND + 63))"
    "$LAB_TOOLS/ctflush" "$router"
}

# lab_readdress SITE LAST: its outside address ends with LAST from now on, as after a new lease from the
# provider; what was mapped to the old one is gone.
lab_readdress() {
    local old=${LAB_EXTERNAL[$1]} new=${LAB_EXTERNAL[$1]%.*}.$2
    lab_ip "${LAB_ROUTER[$1]}" <<IP
addr del $old/24 dev wan
addr add $new/24 dev wan
route replace default via ${old%.*}.1
IP
    "$LAB_TOOLS/ctflush" "${LAB_ROUTER[$1]}"
    ip -n "${LAB_CARRIER[$1]:-inet}" neigh flush to "$old" # the provider sends nothing there any more
    LAB_EXTERNAL[$1]=$new
}

# lab_only_v6 HOST: from now on it has no IPv4.
lab_only_v6() { lab_exec "$1" ip -4 address flush dev eth0; }

# lab_renumber6 HOME: its provider gives it another IPv6 prefix; nothing has the old one any more.
lab_renumber6() {
    local router=${LAB_ROUTER[$1]} n=${LAB_NUMBER[$1]} host wan old new
    wan=$(printf '2a00:2:%x:' "$n") old=$(printf '2a00:2:%x:100:' "$n") new=$(printf '2a00:2:%x:200:' "$n")
    lab_ip inet <<IP
route del $old:/64 via $wan:2
route add $new:/64 via $wan:2
IP
    lab_ip "$router" <<IP
addr del $old:1/64 dev lan
addr add $new:1/64 dev lan nodad
IP
    for host in ${LAB_HOSTS[$1]}; do
        lab_ip "$host" <<IP
addr del ${LAB_IP6[$host]}/64 dev eth0
addr add ${LAB_IP6[$host]/:100:/:200:}/64 dev eth0 nodad
route replace default via $new:1
IP
        LAB_IP6[$host]=${LAB_IP6[$host]/:100:/:200:}
    done
}

# lab_nat64 HOME [PREFIX]: its router makes IPv4 of what is sent to 64:ff9b::/96, or that prefix.
lab_nat64() {
    local router=${LAB_ROUTER[$1]} config=$LAB_DIR/tayga-$1.conf prefix=${2:-64:ff9b::/96}
    mkdir -p "$LAB_DIR/tayga-$1"
    cat >"$config" <<CONFIG
tun-device nat64
ipv4-addr 172.30.0.1
ipv6-addr fd64::1
prefix $prefix
dynamic-pool 172.30.0.0/16
data-dir $LAB_DIR/tayga-$1
CONFIG
    lab_exec "$router" tayga -c "$config" --mktun >"$LAB_DIR/log/tayga-$1-mktun.log" 2>&1
    lab_ip "$router" <<IP
link set dev nat64 up
route add 172.30.0.0/16 dev nat64
route add $prefix dev nat64
IP
    lab_spawn "tayga-$1" "$router" tayga -d -c "$config"
}
