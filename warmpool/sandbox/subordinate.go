package sandbox

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// Subordinate users and groups are those that the administrator lends to a user who is not
// root (subuid(5)). A gateway of such a user gives each environment one of them.
const (
	subUIDs = "/etc/subuid"
	subGIDs = "/etc/subgid"

	// fewestUsers is how many there have to be. Fewer would come round again soon, and with
	// one for each environment they limit how many environments there are.
	fewestUsers = 1024
	// firstLent is the first that the remedy proposes, as useradd does.
	firstLent = 100_000
)

// A subordinate is a range of users and one of groups that this user may give to others. The
// programs are of the package uidmap and write it to a user namespace, as only root can.
type subordinate struct {
	firstUID, firstGID, count int
	newuidmap, newgidmap      string
}

// A noUsersError says why environments have no users of their own, and what line mends it.
type noUsersError struct {
	error
	remedy string
}

func (e *noUsersError) Unwrap() error { return e.error }

// findSubordinate is what the machine lends to the user of this process. The error is a
// *noUsersError, unless a file cannot be read.
func findSubordinate() (*subordinate, error) {
	name, id := "", strconv.Itoa(os.Geteuid())
	if u, err := user.LookupId(id); err == nil {
		name = u.Username
	}
	s := &subordinate{}
	free := firstLent
	uids, err := lent(subUIDs, name, id, &free)
	if err != nil {
		return nil, err
	}
	gids, err := lent(subGIDs, name, id, &free)
	if err != nil {
		return nil, err
	}
	s.firstUID, s.firstGID, s.count = uids.first, gids.first, min(uids.count, gids.count, identities)
	if s.count < fewestUsers {
		who := cmp.Or(name, id)
		last := free + identities - 1
		return nil, &noUsersError{
			fmt.Errorf("%s lends %s %d users and %s %d groups, and it takes %d of each", subUIDs, who, uids.count, subGIDs, gids.count, fewestUsers),
			fmt.Sprintf("usermod --add-subuids %d-%d --add-subgids %d-%d %s", free, last, free, last, who),
		}
	}
	for program, path := range map[string]*string{"newuidmap": &s.newuidmap, "newgidmap": &s.newgidmap} {
		if *path, err = exec.LookPath(program); err != nil {
			return nil, &noUsersError{err, "install the package uidmap, or shadow-utils where newuidmap is of that"}
		}
	}
	return s, nil
}

// A lentRange is so many users or groups from the first.
type lentRange struct{ first, count int }

// lent is the largest range that a file lends to a user. It moves free behind all that the
// file lends to anybody.
func lent(file, name, id string, free *int) (lentRange, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return lentRange{}, nil
	}
	if err != nil {
		return lentRange{}, err
	}
	defer f.Close()
	return lentIn(f, name, id, free)
}

func lentIn(r io.Reader, name, id string, free *int) (lentRange, error) {
	var most lentRange
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 || fields[0] == "" {
			continue
		}
		first, err1 := strconv.Atoi(fields[1])
		count, err2 := strconv.Atoi(fields[2])
		// 0 and the highest are no users to give away, whoever wrote that.
		if err1 != nil || err2 != nil || first <= 0 || count <= 0 || first > math.MaxUint32-1-count {
			continue
		}
		*free = max(*free, first+count)
		if (fields[0] == name || fields[0] == id) && count > most.count {
			most = lentRange{first, count}
		}
	}
	return most, lines.Err()
}

// mapTimeout limits how long newuidmap and newgidmap take, which may ask a directory service.
const mapTimeout = 10 * time.Second

// enter gives the user namespace of a process its users: 0 is that of the gateway, and what
// is lent begins at 1.
func (s *subordinate) enter(pid int) error {
	ctx, cancel := context.WithTimeout(context.Background(), mapTimeout)
	defer cancel()
	for _, m := range []struct {
		program   string
		own, lent int
	}{{s.newuidmap, os.Geteuid(), s.firstUID}, {s.newgidmap, os.Getegid(), s.firstGID}} {
		cmd := exec.CommandContext(ctx, m.program, strconv.Itoa(pid), "0", strconv.Itoa(m.own), "1", "1", strconv.Itoa(m.lent), strconv.Itoa(s.count))
		cmd.Env = []string{}
		if out, err := cmd.CombinedOutput(); err != nil {
			return &noUsersError{
				fmt.Errorf("%s: %w: %s", m.program, err, strings.TrimSpace(string(out))),
				"see that newuidmap and newgidmap may change users: setuid, or with file capabilities, and under systemd without NoNewPrivileges",
			}
		}
	}
	return nil
}
