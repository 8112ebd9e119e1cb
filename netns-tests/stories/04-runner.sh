#!/bin/bash
# The runner counts right, and a story leaves nothing behind, however it ends.
#
#        this story
#          `- run --stories DIR
#               `- other stories, each in a lab inside this lab:
#                    coord -- inet -- home-r -- home
. "$(dirname "$0")/../lib/lab.sh"

inner=$LAB_DIR/stories tmp=$LAB_DIR/tmp
mkdir "$inner" "$tmp"

# write_story NAME [HEADER]: with its body on standard input.
write_story() {
    {
        printf '#!/bin/bash\n# %s\n. "%s/lab.sh"\n' "${2:-a story}" "$LAB_LIB"
        cat
    } >"$inner/$1.sh"
}
# One part of the stories, run by the runner; SUMMARY is the runner's last line.
run_inner() {
    local part=$1 status=0
    shift
    TMPDIR=$tmp "$LAB_LIB/../run" --stories "$inner" --only "$part" "$@" >"$LAB_DIR/said" 2>&1 || status=$?
    SUMMARY="$status: $(tail -n 1 "$LAB_DIR/said")"
}
# Does any process have this on its command line?
runs() { grep -qsz -- "^$1\$" /proc/[0-9]*/cmdline; }
runs_not() { ! runs "$1"; }
is_empty() { [[ ! $(ls -A "$1") ]]; }

write_story good <<'S'
ok one
assert "two" true
ok "three # SKIP for the test's sake"
S
write_story bad <<'S'
ok one
assert_eq "one is two" 1 2
assert "two is one" test 2 = 1
assert_fails "a missing program is no failure that counts" no-such-program
S
write_story broken <<'S'
ok one
cat /nonexistent
ok two
S
write_story required <<'S'
require "one is two" test 1 = 2
ok "never said"
S
write_story silent <<'S'
S
write_story planless <<'S'
ok one
trap - EXIT
exit 0
S
write_story endless "time limit: 1 s" <<'S'
ok one
sleep 4711
S
write_story busy <<'S'
lab_internet
lab_home home symmetric
lab_spawn sleeper home sleep 4712
lab_exec home setsid sleep 4713 &
ok up
sleep 4714
S

# --- counting ---
run_inner good
assert_eq "successes and skips are counted" "$SUMMARY" "0: 2 passed, 0 failed, 1 skipped"
run_inner bad
assert_eq "failures are counted and the story goes on" "$SUMMARY" "1: 1 passed, 3 failed, 0 skipped"
assert "and tell what was seen" grep -q '^# got:    1' "$LAB_DIR/said"
run_inner broken
assert_eq "a story that breaks off fails" "$SUMMARY" "1: 1 passed, 1 failed, 0 skipped"
assert "and tells where" grep -q 'cat /nonexistent' "$LAB_DIR/said"
run_inner required
assert_eq "a requirement that does not hold ends the story" "$SUMMARY" "1: 0 passed, 1 failed, 0 skipped"
run_inner silent
assert_eq "a story that says nothing fails" "$SUMMARY" "1: 0 passed, 1 failed, 0 skipped"
run_inner planless
assert_eq "a story without its plan fails" "$SUMMARY" "1: 1 passed, 1 failed, 0 skipped"
run_inner endless
assert_eq "a story that does not end is ended" "$SUMMARY" "1: 1 passed, 2 failed, 0 skipped"
run_inner good --runs 3 --jobs 2
assert_eq "several runs side by side are added up" "$SUMMARY" "0: 6 passed, 0 failed, 3 skipped"
run_inner no-such-story
assert_match "no story at all is a failure" "$SUMMARY" '^2: '
assert "nothing is left behind by any of them" is_empty "$tmp"

# --- cleaning up ---
for signal in TERM INT KILL; do
    TMPDIR=$tmp lab_spawn "busy-$signal" - env --default-signal=INT bash "$inner/busy.sh"
    require "a lab with daemons is up before SIG$signal" wait_until 10 runs 4714
    assert "and its daemons run" runs 4713
    if lab_stop "busy-$signal" "$signal"; then
        not_ok "SIG$signal ends it"
    else
        ok "SIG$signal ends it"
    fi
    for number in 4712 4713 4714; do
        assert_soon "and sleep $number with it" 2 runs_not "$number"
    done
    assert_soon "and all wires" 2 runs_not "$LAB_TOOLS/wire"
    if [[ $signal == KILL ]]; then
        rm -rf "${tmp:?}"/* # its scratch directory is what SIGKILL cannot clean up
    else
        assert "and leaves nothing" is_empty "$tmp"
    fi
done
