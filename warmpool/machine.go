package warmpool

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// environmentDescriptors is how many files an environment has open here: its pipes,
	// its processes, its log, and of a stem its mount namespace.
	environmentDescriptors = 9
	// bridgeDescriptors is how many it has more when it is spoken to over HTTP.
	bridgeDescriptors = 6
	// lowDescriptors is a limit of open files that is soon reached.
	lowDescriptors = 4096
)

// descriptorLimit is how many files this process may have open.
func descriptorLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return int(min(limit.Cur, math.MaxInt32)), nil
}

// machineMemoryMB is the machine's memory as /proc/meminfo has it.
func machineMemoryMB() (int, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, found := strings.CutPrefix(lines.Text(), "MemTotal:"); found {
			kb, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/meminfo has no MemTotal line")
}
