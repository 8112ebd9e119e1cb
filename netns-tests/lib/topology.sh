# shellcheck shell=bash
# The lab's internet and the homes on it. Nothing here touches a network outside
# of the story: every link is made with both ends inside the story's namespaces.
#
#   coord 55.1.0.10 55.1.0.11   2a00:1::10 ::11      the coordinator's host
#     | wire "coord"
#   inet  (routes everything)
#     | wire NAME, 55.2.N.0/24, 2a00:2:N::/64
#   NAME-r  the home's router: wan 55.2.N.2, lan 192.168.N.1
#     | bridge, 192.168.N.0/24, 2a00:2:N:100::/64
#   hosts 192.168.N.2, .3, ...
#
# With a carrier in between: inet - wire CARRIER - CARRIER (55.2.M.2, a NAT of its
# own) - wire NAME - NAME-r (wan 100.64.N.2). A public home has no NAT: its LAN is
# 55.100.N.0/24. The addresses look public because programs judge addresses.

# shellcheck disable=SC2034 # for stories
COORD_IP=55.1.0.10 COORD_IP_2=55.1.0.11 COORD_IP6=2a00:1::10 COORD_IP6_2=2a00:1::11

LAB_SITES=0                # homes and carriers so far; each takes a number
declare -A LAB_NUMBER=()   # site -> N
declare -A LAB_KIND=()     # site -> router kind
declare -A LAB_HAIRPIN=()  # site -> 0 or 1
declare -A LAB_LIFE_S=()   # site -> UDP mapping lifetime
declare -A LAB_PREFIX=()   # site -> prefix of its inside
declare -A LAB_EXTERNAL=() # site -> its router's outside IPv4 address
declare -A LAB_ROUTER=()   # site -> namespace of its router
declare -A LAB_CARRIER=()  # home -> carrier, empty without one
declare -A LAB_HOSTS=()    # home -> its hosts
declare -A LAB_IP=()       # host -> IPv4 address
declare -A LAB_IP6=()      # host -> IPv6 address, empty without one

# Sets the caller's variables from name=value words; refuses other names.
lab_options() {
    local allowed=" $1 " word
    shift
    for word; do
        [[ $word == *=* && $allowed == *" ${word%%=*} "* ]] ||
            lab_die "${FUNCNAME[1]} does not know \"$word\"; its options are:$allowed"
        printf -v "${word%%=*}" '%s' "${word#*=}"
    done
}

# Several ip commands at once, read from standard input, in one namespace.
lab_ip() {
    ip -n "$1" -batch -
}

# lab_netns NAME: a namespace that does nothing by surprise: no address checks
# that take a second, no router advertisements, no firewall on bridged frames.
lab_netns() {
    ip netns add "$1"
    nsenter --net="/run/netns/$1" -- sh -c '
        cd /proc/sys/net
        for scope in all default; do
            echo 0 >ipv4/conf/$scope/rp_filter
            echo 0 >ipv4/conf/$scope/send_redirects
            echo 0 >ipv6/conf/$scope/accept_dad
            echo 0 >ipv6/conf/$scope/dad_transmits
            echo 0 >ipv6/conf/$scope/accept_ra
        done
        for call in bridge/bridge-nf-call-*; do
            [ ! -e "$call" ] || echo 0 >"$call"
        done
        ip link set dev lo up'
}

lab_forwarding() {
    lab_exec "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# lab_host NAME: a namespace with directories and a host name of its own, which a
# sleeping process holds and lab_exec enters. (A mount namespace cannot always be
# pinned to a file: kernels differ in what they take for a loop.)
lab_host() {
    local private=$LAB_DIR/hosts/$1
    lab_netns "$1"
    mkdir -p "$private/run" "$private/var-lib"
    nsenter --net="/run/netns/$1" unshare --mount --uts --propagation private sh -ec '
        exec 3>"/run/lab/$1"
        hostname "$1"
        mount -t sysfs lab /sys
        mount --bind "$2/run" /run
        mount --bind "$2/var-lib" /var/lib
        echo $$ >&3
        exec 3>&- sleep infinity' sh "$1" "$private" &
    wait_until 5 test -s "/run/lab/$1" || lab_die "host $1 does not come up"
}

# lab_cable NAME A_NETNS:IF B_NETNS:IF DELAY_MS: a wire, ready when this returns.
# Way "ab" leads from A to B.
lab_cable() {
    lab_spawn "wire-$1" - "$LAB_TOOLS/wire" --a "$2" --b "$3" --control "$LAB_DIR/wire/$1" \
        --seed $((${LAB_SEED:-1} * 1000 + LAB_SITES)) delay="$4"
    wait_until 5 lab_log_has "wire-$1" '^ready' || lab_die "the wire $1 does not start; see its log"
}

# lab_internet [delay=MS]: the core and the coordinator's host. The delay is one-
# way, on the coordinator's link.
lab_internet() {
    local delay=0
    lab_options "delay" "$@"
    lab_netns inet
    lab_forwarding inet
    lab_transit inet
    lab_host coord
    lab_cable coord coord:eth0 inet:coord "$delay"
    lab_ip inet <<'IP'
addr add 55.1.0.1/24 dev coord
addr add 2a00:1::1/64 dev coord nodad
IP
    lab_ip coord <<'IP'
addr add 55.1.0.10/24 dev eth0
addr add 55.1.0.11/24 dev eth0
addr add 2a00:1::10/64 dev eth0 nodad
addr add 2a00:1::11/64 dev eth0 nodad
route add default via 55.1.0.1
route add default via 2a00:1::1
IP
}

# The table in which lab_cut writes pairs of interfaces that exchange no UDP.
lab_transit() {
    lab_exec "$1" nft -f - <<'RULES'
table inet cut {
 set pairs {
  type ifname . ifname;
 }
 chain forward {
  type filter hook forward priority filter - 10; policy accept;
  meta l4proto udp iifname . oifname @pairs drop
 }
}
RULES
}

# Numbers a site and makes its router with a wire to the core or to a carrier.
lab_site() {
    local name=$1 router=$2 delay=$3 carrier=$4 upstream=inet uplink
    [[ ! ${LAB_NUMBER[$name]:-} ]] || lab_die "there is a site called $name already"
    LAB_SITES=$((LAB_SITES + 1))
    LAB_NUMBER[$name]=$LAB_SITES
    LAB_ROUTER[$name]=$router
    local n=$LAB_SITES net=55.2.$LAB_SITES
    if [[ $carrier ]]; then
        upstream=$carrier
        net=100.64.$n
    fi
    uplink=s$n
    LAB_EXTERNAL[$name]=$net.2
    lab_netns "$router"
    lab_forwarding "$router"
    lab_cable "$name" "$router:wan" "$upstream:$uplink" "$delay"
    ip -n "$upstream" addr add "$net.1/24" dev "$uplink"
    lab_ip "$router" <<IP
addr add $net.2/24 dev wan
route add default via $net.1
IP
}

# lab_carrier NAME KIND [delay=MS] [hairpin=0|1] [udp_timeout=S]: a carrier's NAT
# between the internet and homes that say carrier=NAME.
lab_carrier() {
    local name=$1 kind=$2 delay=0 hairpin=0 udp_timeout=120
    shift 2
    lab_options "delay hairpin udp_timeout" "$@"
    lab_site "$name" "$name" "$delay" ""
    LAB_PREFIX[$name]=100.64.0.0/10
    lab_transit "$name"
    lab_nat "$name" "$kind" hairpin="$hairpin" udp_timeout="$udp_timeout"
}

# lab_home NAME KIND [option=value...]: a home with router NAME-r and its hosts.
#   KIND: public full-cone address-restricted port-restricted symmetric, or
#   carrier: port-restricted behind a port-restricted carrier of its own
#   delay=MS        one-way, on its internet link (10: a "20 ms link")
#   hosts=A,B       its hosts (one, called as the home)
#   hairpin=0|1     do inside hosts reach each other by their outside addresses? (0)
#   udp_timeout=S   lifetime of a UDP mapping (120)
#   v6=none|open|firewall   IPv6, without or with a stateful firewall (none)
#   carrier=NAME    a lab_carrier that it is behind
#   lan=A.B.C       the first three bytes of its LAN (192.168.N; public: 55.100.N)
lab_home() {
    local name=$1 kind=$2 delay=10 hosts=$1 hairpin=0 udp_timeout=120 v6=none carrier='' lan=''
    shift 2
    lab_options "delay hosts hairpin udp_timeout v6 carrier lan" "$@"
    [[ $v6 == none || ( ! $carrier && $kind != carrier ) ]] ||
        lab_die "home $name: IPv6 behind a carrier is not part of this lab"
    [[ $kind != public || ! $carrier ]] || lab_die "home $name: a public home has no carrier"
    if [[ $kind == carrier && ! $carrier ]]; then
        carrier=$name-isp
        lab_carrier "$carrier" port-restricted udp_timeout="$udp_timeout"
    fi
    lab_site "$name" "$name-r" "$delay" "$carrier"
    LAB_CARRIER[$name]=$carrier
    lab_lan "$name" "$kind" "$lan" "${hosts//,/ }"
    [[ $v6 == none ]] || lab_home6 "$name" "$v6"
    lab_nat "$name" "$kind" hairpin="$hairpin" udp_timeout="$udp_timeout"
    local host
    for host in ${LAB_HOSTS[$name]}; do
        wait_until 10 lab_exec "$host" ping -c 1 -W 1 "$COORD_IP" ||
            lab_die "host $host of home $name cannot reach the coordinator's host"
    done
}

# The bridge of a home and its hosts.
lab_lan() {
    local name=$1 kind=$2 net=$3 hosts=$4 router=${LAB_ROUTER[$1]} n=${LAB_NUMBER[$1]} host last=2
    if [[ $kind == public ]]; then
        net=${net:-55.100.$n}
        ip -n inet route add "$net.0/24" via "${LAB_EXTERNAL[$name]}"
    fi
    net=${net:-192.168.$n}
    LAB_PREFIX[$name]=$net.0/24
    LAB_HOSTS[$name]=$hosts
    lab_ip "$router" <<IP
link add lan type bridge forward_delay 0 mcast_snooping 0
link set dev lan up
addr add $net.1/24 dev lan
IP
    for host in $hosts; do
        lab_host "$host"
        ip link add name eth0 netns "$host" type veth peer name "h$last" netns "$router"
        lab_ip "$router" <<IP
link set dev h$last master lan up
IP
        lab_ip "$host" <<IP
link set dev eth0 up
addr add $net.$last/24 dev eth0
route add default via $net.1
IP
        LAB_IP[$host]=$net.$last
        LAB_IP6[$host]=
        last=$((last + 1))
    done
}

# IPv6 for a home: addresses and routes, and the firewall when it has one.
lab_home6() {
    local name=$1 firewall=$2 router=${LAB_ROUTER[$1]} n=${LAB_NUMBER[$1]} host last=2
    local wan lan
    wan=$(printf '2a00:2:%x:' "$n") lan=$(printf '2a00:2:%x:100:' "$n")
    lab_ip inet <<IP
addr add $wan:1/64 dev s$n nodad
route add $lan:/64 via $wan:2
IP
    lab_ip "$router" <<IP
addr add $wan:2/64 dev wan nodad
addr add $lan:1/64 dev lan nodad
route add default via $wan:1
IP
    for host in ${LAB_HOSTS[$name]}; do
        LAB_IP6[$host]=$lan:$last
        lab_ip "$host" <<IP
addr add $lan:$last/64 dev eth0 nodad
route add default via $lan:1
IP
        last=$((last + 1))
    done
    case $firewall in
    open) ;;
    firewall) nat_firewall6 | lab_exec "$router" nft -f - ;;
    *) lab_die "home $name: v6 is none, open or firewall, not \"$firewall\"" ;;
    esac
}

# lab_nat SITE KIND [hairpin=0|1] [udp_timeout=S]: makes its router be of another
# kind from now on; all it had mapped is forgotten. Options keep their values.
lab_nat() {
    local site=$1 kind=$2 inside=lan behind=''
    local hairpin=${LAB_HAIRPIN[$1]:-0} udp_timeout=${LAB_LIFE_S[$1]:-120}
    shift 2
    lab_options "hairpin udp_timeout" "$@"
    LAB_KIND[$site]=$kind LAB_HAIRPIN[$site]=$hairpin LAB_LIFE_S[$site]=$udp_timeout
    if [[ $kind == carrier ]]; then
        behind=port-restricted
    fi
    if [[ ${LAB_ROUTER[$site]} == "$site" ]]; then # a carrier
        inside='s*'
    fi
    nat_load "${LAB_ROUTER[$site]}" "${behind:-$kind}" "${LAB_EXTERNAL[$site]}" "${LAB_PREFIX[$site]}" \
        "$inside" "$hairpin" "$udp_timeout"
}

# lab_natprobe HOME [ARGUMENT...]: runs natprobe between the home's first two
# hosts and the coordinator's addresses, on ports that no coordinator uses.
lab_natprobe() {
    local hosts
    read -ra hosts <<<"${LAB_HOSTS[$1]}"
    shift
    "$LAB_TOOLS/natprobe" --server coord --client "${hosts[0]}" --client2 "${hosts[1]:-${hosts[0]}}" \
        --address "${LAB_ADDRESSES:-$COORD_IP,$COORD_IP_2}" --port 7001,7002 "$@"
}

# lab_natpunch A B [ARGUMENT...]: runs natpunch between the first hosts of two homes.
lab_natpunch() {
    local a=${LAB_HOSTS[$1]%% *} b=${LAB_HOSTS[$2]%% *}
    shift 2
    "$LAB_TOOLS/natpunch" --server coord --a "$a" --b "$b" --address "$COORD_IP" --port 7003 "$@"
}

# lab_prove HOME [ARGUMENT...]: a test line for "this home's router is of its kind". natprobe takes what has not come
# after 120 ms for lost: where other stories run beside this one, or the way is long, it is to wait for longer.
lab_prove() {
    local home=$1 expected=${LAB_KIND_IS[${LAB_KIND[$1]}]}
    shift
    assert "$home's router is ${LAB_KIND[$home]}: $expected" lab_natprobe "$home" --expect "$expected" "$@"
}
