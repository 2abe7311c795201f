package function

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Values of Logging.
const (
	TextFormat = "Text"
	JSONFormat = "JSON"
)

// Log levels, the most detailed first; the platform's own lines know three of them.
var (
	ApplicationLevels = []string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}
	SystemLevels      = []string{"DEBUG", "INFO", "WARN"}
)

const defaultLevel = "INFO"

// Logging says how a function logs. The zero value of each field stands for its default.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-logs-advanced.html
type Logging struct {
	Format           string // TextFormat or JSONFormat, default TextFormat
	ApplicationLevel string // of ApplicationLevels, with JSONFormat only, default INFO
	SystemLevel      string // of SystemLevels, with JSONFormat only, default INFO
	Group            string // name of the log group, default /aws/lambda/NAME
}

// groupPattern is what CloudWatch allows in the name of a log group.
var groupPattern = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// ValidLogGroup reports whether name may name a log group.
func ValidLogGroup(name string) bool { return groupPattern.MatchString(name) }

// DefaultLogGroup is the log group of a function that has none of its own choice.
func DefaultLogGroup(name string) string { return "/aws/lambda/" + name }

// ErrTextHasNoLevels is AWS's answer to log levels without the format JSON.
//
//lint:ignore ST1005 AWS's words
var ErrTextHasNoLevels = errors.New(`LogLevel is not supported when LogFormat is set to "Text". ` +
	`Remove LogLevel from your request or change the LogFormat to "JSON" and try again.`)

func (l *Logging) normalize() error {
	setDefault(&l.Format, TextFormat)
	switch l.Format {
	case TextFormat:
		if l.ApplicationLevel != "" || l.SystemLevel != "" {
			return ErrTextHasNoLevels
		}
	case JSONFormat:
		l.ApplicationLevel = strings.ToUpper(cmp.Or(l.ApplicationLevel, defaultLevel))
		l.SystemLevel = strings.ToUpper(cmp.Or(l.SystemLevel, defaultLevel))
		if !slices.Contains(ApplicationLevels, l.ApplicationLevel) {
			return fmt.Errorf("log_level %q: there are %s", l.ApplicationLevel, strings.Join(ApplicationLevels, ", "))
		}
		if !slices.Contains(SystemLevels, l.SystemLevel) {
			return fmt.Errorf("system_log_level %q: there are %s", l.SystemLevel, strings.Join(SystemLevels, ", "))
		}
	default:
		return fmt.Errorf("log_format %q: text or json", l.Format)
	}
	if l.Group != "" && !ValidLogGroup(l.Group) {
		return fmt.Errorf("log_group %q: 1 to 512 letters, digits and _ - / . # are allowed", l.Group)
	}
	return nil
}

// LogGroup is the name of the function's log group.
func (f *Function) LogGroup() string { return cmp.Or(f.Logging.Group, DefaultLogGroup(f.Name)) }
