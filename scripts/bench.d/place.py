"""Two namespaces, `a` and `b`, and one veth pair between them, in a place that is sealed off."""
import subprocess
import sys
import time

OUTER = {"a": "10.77.0.1", "b": "10.77.0.2"}
INNER = {"a": "10.9.0.1", "b": "10.9.0.2"}
MTU = 1420


def run(*command, allow_failure=False, **more):
    """The output of a command; ends the program where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode and not allow_failure:
        sys.exit(f"bench: {' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def inside(host, *command, **more):
    return run("ip", "netns", "exec", host, *command, **more)


class NotUp(SystemExit):
    """A system does not come up. Of a rival it is told, and the others go on; of ours it ends the run."""


def wait_for(what, condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise NotUp(f"bench: {what} does not happen")
        time.sleep(0.02)


def make_place():
    run("mount", "-t", "tmpfs", "none", "/run")
    for host in OUTER:
        run("ip", "netns", "add", host)
        run("ip", "-n", host, "link", "set", "lo", "up")
        # A rate that loses fragments must not fill, for half a minute, the memory in which those of the next
        # rate are put together: 1400 bytes are more than fit the inner MTU in one piece.
        inside(host, "sysctl", "-qw", "net.ipv4.ipfrag_time=1", f"net.ipv4.ipfrag_high_thresh={256 << 20}")
    run("ip", "link", "add", "v0", "netns", "a", "type", "veth", "peer", "name", "v0", "netns", "b")
    for host, address in OUTER.items():
        run("ip", "-n", host, "addr", "add", address + "/24", "dev", "v0")
        run("ip", "-n", host, "link", "set", "v0", "up")
