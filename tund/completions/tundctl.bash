# bash completion for tundctl(1)                          -*- shell-script -*-

# The members that the running daemon knows.
_tundctl_peers() {
    "$1" peers ${2:+--state "$2"} 2>/dev/null | sed -n '2,$s/ .*//p'
}

_tundctl() {
    local cur prev verb='' state='' i
    local verbs='create invite join leave up down status peers ping explain path relay netcheck portmap version'
    COMPREPLY=()
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --state) state=${COMP_WORDS[++i]} ;;
        -*) ;;
        *) [[ $verb ]] || verb=${COMP_WORDS[i]} ;;
        esac
    done

    case $prev in
    --state)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --out)
        # a file, or a directory for --device
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --portmap)
        mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur")
        return
        ;;
    --by)
        mapfile -t COMPREPLY < <(compgen -W 'pcp natpmp upnp' -- "$cur")
        return
        ;;
    --coordinator | --name | --device | --prefix | --ifname | --port | --external | --expires | --count | -c | --size | -s | --interval | -i | --budget)
        return
        ;;
    esac

    local options='--state --help'
    case $verb in
    '')
        mapfile -t COMPREPLY < <(compgen -W "$verbs $options --version" -- "$cur")
        return
        ;;
    create) options+=' --coordinator --name --prefix --ifname --port --portmap' ;;
    invite) options+=' --name --device --expires --out --budget --force' ;;
    join) options+=' --ifname --port --portmap' ;;
    portmap) options+=' --json --external --by' ;;
    leave) options+=' --force' ;;
    status | peers | explain | path | relay | version) options+=' --json' ;;
    netcheck) options+=' --json --coordinator' ;;
    ping) options+=' --json --count --interval --size --until-direct' ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi
    case $verb in
    ping | explain)
        mapfile -t COMPREPLY < <(compgen -W "$(_tundctl_peers "${COMP_WORDS[0]}" "$state")" -- "$cur")
        ;;
    path)
        if [[ $prev == path ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$(_tundctl_peers "${COMP_WORDS[0]}" "$state")" -- "$cur")
        else
            mapfile -t COMPREPLY < <(compgen -W 'auto direct relay' -- "$cur")
        fi
        ;;
    relay) [[ $prev != relay ]] || mapfile -t COMPREPLY < <(compgen -W 'on off' -- "$cur") ;;
    portmap) [[ $prev != portmap ]] || mapfile -t COMPREPLY < <(compgen -W 'list add del' -- "$cur") ;;
    join) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    esac
}
complete -o filenames -F _tundctl tundctl
