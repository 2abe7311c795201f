package ssm

import (
	"regexp"
	"strconv"
	"strings"
)

// maxName is the longest name that is kept, in bytes. AWS takes 1011 with what it puts before.
const maxName = 250

// maxLevels is AWS's limit of a hierarchy.
const maxLevels = 15

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+$`)

// checkName checks the name of a parameter.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
func checkName(name string) error {
	lower := strings.TrimPrefix(strings.ToLower(name), "/")
	switch {
	case len(name) > maxName:
		return invalid("Parameter name: this server takes up to %d characters", maxName)
	case strings.HasPrefix(lower, "aws"):
		return exception("AccessDeniedException", "No access to reserved parameter name: %s.", name)
	case strings.HasPrefix(lower, "ssm"), !namePattern.MatchString(name), strings.HasSuffix(name, "/"), strings.Contains(name, "//"):
		return invalid(`Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`)
	case name[0] != '/' && strings.Contains(name, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > maxLevels:
		return exception("HierarchyLevelLimitExceededException", "Hierarchies can have a maximum of %d levels.", maxLevels)
	}
	return nil
}

func (s *service) prefix() string {
	return "arn:aws:ssm:" + s.Account.Region + ":" + s.Account.ID + ":parameter"
}

// arn is the ARN of a parameter.
func (s *service) arn(name string) string {
	if name[0] != '/' {
		return s.prefix() + "/" + name
	}
	return s.prefix() + name
}

// A reference is how a reader names a parameter: NAME, or its ARN, with a version behind a colon.
type reference struct {
	names    []string // that it may have: the ARN of a is that of /a, too
	selector string   // ":3", "" for the current one
}

func (s *service) refer(given string) reference {
	var r reference
	path, isARN := strings.CutPrefix(given, s.prefix())
	if at := strings.IndexByte(path, ':'); at >= 0 && !strings.HasPrefix(path, "arn:") {
		path, r.selector = path[:at], path[at:]
	}
	if r.names = []string{path}; isARN && strings.Count(path, "/") == 1 {
		r.names = []string{path[1:], path}
	}
	return r
}

// takes reports whether a reader asked for the version that there is.
func (r reference) takes(p *parameter) bool {
	return r.selector == "" || r.selector == ":"+strconv.Itoa(p.Version)
}
