package caddymodule

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/hearthfn/hearth/warmpool/function/spelling"
)

// A reader reads the arguments of an option, and its block if it has one. The option's
// name is the dispenser's value.
type reader func(*caddyfile.Dispenser) error

// An option is one option of a block.
type option struct {
	name string
	read reader
}

// readBlock reads the options of a block. unknown is the text of the error for an unknown
// option, with %s for its name. The error also lists the known options in their order. The test
// of the manual reads that list.
func readBlock(d *caddyfile.Dispenser, unknown string, options []option) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		read := readerOf(options, d.Val())
		if read == nil {
			return d.Errf("unrecognized "+unknown+"%s; %s", d.Val(), spelling.Meant(d.Val(), namesOf(options)), thereAre(options))
		}
		if err := read(d); err != nil {
			return err
		}
	}
	return nil
}

// optionLines are the lines of the options of a block, by their names.
type optionLines map[string]int

// of makes the options note their lines.
func (l optionLines) of(options []option) []option {
	noting := slices.Clone(options)
	for n, o := range options {
		noting[n].read = func(d *caddyfile.Dispenser) error {
			l[o.name] = d.Line()
			return o.read(d)
		}
	}
	return noting
}

// place adds the file and the line to an error about values: the line of the option that the
// error names, or else of the block.
func (l optionLines) place(err error, file string, block int) error {
	text, line, longest := err.Error(), block, ""
	for _, name := range slices.Sorted(maps.Keys(l)) {
		if len(name) > len(longest) && regexp.MustCompile(`\b`+regexp.QuoteMeta(name)+`\b`).MatchString(text) {
			line, longest = l[name], name
		}
	}
	return fmt.Errorf("%w, at %s:%d", err, file, line)
}

// valid makes the reader of an option whose value is checked in its line. A value with a
// placeholder is known only where the server runs, and checked there.
func valid(read reader, value any, check func() error) reader {
	return func(d *caddyfile.Dispenser) error {
		line := d.Line()
		if err := read(d); err != nil || hasPlaceholder(value) {
			return err
		}
		if err := check(); err != nil {
			return fmt.Errorf("%w, at %s:%d", err, d.File(), line)
		}
		return nil
	}
}

// hasPlaceholder reports whether a value of an option is known only where the server runs.
func hasPlaceholder(options any) bool {
	text, err := json.Marshal(options)
	return err != nil || placeholder.Match(text)
}

var placeholder = regexp.MustCompile(`\{[a-z_]+\.[^{}]+\}`)

func readerOf(options []option, name string) reader {
	for _, o := range options {
		if o.name == name {
			return o.read
		}
	}
	return nil
}

// thereAre lists options: "there are a, b and c".
func thereAre(options []option) string {
	names := namesOf(options)
	switch last := len(names) - 1; last {
	case -1:
		return "there are none"
	case 0:
		return "there is " + names[0]
	default:
		return "there are " + strings.Join(names[:last], ", ") + " and " + names[last]
	}
}

func namesOf(options []option) []string {
	names := make([]string, len(options))
	for n, o := range options {
		names[n] = o.name
	}
	return names
}

// into makes the reader of an option that has one value, or several of one kind.
func into[T any](read func(*caddyfile.Dispenser, *T) error, to *T) reader {
	return func(d *caddyfile.Dispenser) error { return read(d, to) }
}

// The helpers below read the arguments of one option. For their errors they take its name from
// the dispenser.

func text(d *caddyfile.Dispenser, to *string) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	*to = d.Val()
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// texts reads one value or more, and appends them.
func texts(d *caddyfile.Dispenser, to *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.ArgErr()
	}
	*to = append(*to, args...)
	return nil
}

// oneMore reads one value, and appends it.
func oneMore(d *caddyfile.Dispenser, to *[]string) error {
	var value string
	if err := text(d, &value); err != nil {
		return err
	}
	*to = append(*to, value)
	return nil
}

// present reads an option without arguments.
func present(d *caddyfile.Dispenser, to *bool) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	*to = true
	return nil
}

// number reads a whole number.
func number(least int) func(*caddyfile.Dispenser, *int) error {
	return func(d *caddyfile.Dispenser, to *int) error {
		name := d.Val()
		var s string
		if err := text(d, &s); err != nil {
			return err
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < least {
			return d.Errf("%s: '%s' is not a whole number of at least %d", name, s, least)
		}
		*to = n
		return nil
	}
}

// factor reads a number of at least 1, which may have a fraction.
func factor(d *caddyfile.Dispenser, to *float64) error {
	name := d.Val()
	var s string
	if err := text(d, &s); err != nil {
		return err
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 1 && n <= 1000) {
		return d.Errf("%s: '%s' is not a number from 1 to 1000", name, s)
	}
	*to = n
	return nil
}

// optionalNumber reads a whole number for which zero is not the default.
func optionalNumber(least int) func(*caddyfile.Dispenser, **int) error {
	return func(d *caddyfile.Dispenser, to **int) error {
		*to = new(int)
		return number(least)(d, *to)
	}
}

// moment reads a time.
func moment(d *caddyfile.Dispenser, to **time.Time) error {
	name := d.Val()
	var value string
	if err := text(d, &value); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return d.Errf("%s: '%s' is not a time such as 2027-01-02T15:04:05Z", name, value)
	}
	*to = &at
	return nil
}

func duration(d *caddyfile.Dispenser, to *caddy.Duration) error {
	name := d.Val()
	var s string
	if err := text(d, &s); err != nil {
		return err
	}
	v, err := caddy.ParseDuration(s)
	v = v.Round(time.Millisecond)
	if err != nil || v <= 0 { // zero would stand for the default
		return d.Errf("%s: '%s' is not a duration such as 30s or 5m", name, s)
	}
	*to = caddy.Duration(v)
	return nil
}

// durationOrOff reads a duration; off is negative.
func durationOrOff(d *caddyfile.Dispenser, to *caddy.Duration) error {
	if d.NextArg() {
		if d.Val() == "off" && d.CountRemainingArgs() == 0 {
			*to = -1
			return nil
		}
		d.Prev()
	}
	return duration(d, to)
}

// oneOf reads one of the words.
func oneOf(words ...string) func(*caddyfile.Dispenser, *string) error {
	return func(d *caddyfile.Dispenser, to *string) error {
		name := d.Val()
		if err := text(d, to); err != nil {
			return err
		}
		if !slices.Contains(words, *to) {
			return d.Errf("%s is %s or %s, not '%s'%s", name, strings.Join(words[:len(words)-1], ", "), words[len(words)-1], *to, spelling.Meant(*to, words))
		}
		return nil
	}
}

// megabytes reads a size as Lambda writes it, a number of MB (1,048,576 bytes each), or a size
// with a unit: 512, 512MB, 512MiB, 1GB.
func megabytes(d *caddyfile.Dispenser, to *int) error {
	name := d.Val()
	var s string
	if err := text(d, &s); err != nil {
		return err
	}
	if n, err := strconv.Atoi(s); err == nil && n > 0 {
		*to = n
		return nil
	}
	// "1GB" and "1G" are 1024 MB to a Lambda user: decimal units count as binary ones.
	bytes, err := humanize.ParseBytes(binaryUnit(s))
	if err != nil || bytes < 1<<20 || bytes > 1<<50 {
		return d.Errf("%s: '%s' is not a size such as 256, 256MB or 1GB", name, s)
	}
	*to = int(bytes >> 20)
	return nil
}

// binaryUnit makes the unit of a size binary: G and GB become GiB.
func binaryUnit(s string) string {
	number := strings.TrimRight(s, "kmgtbKMGTB")
	unit := strings.TrimRight(s[len(number):], "bB")
	if len(unit) != 1 {
		return s
	}
	return number + unit + "iB"
}

// pairs reads "<option> <name> <value>" or a block of "<name> <value>".
func pairs(option string) func(*caddyfile.Dispenser, *map[string]string) error {
	return func(d *caddyfile.Dispenser, to *map[string]string) error {
		if *to == nil {
			*to = make(map[string]string)
		}
		if args := d.RemainingArgs(); len(args) == 2 {
			(*to)[args[0]] = args[1]
			return nil
		} else if len(args) != 0 {
			return d.Errf("%s takes a name and a value, or a block of them", option)
		}
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			name := d.Val()
			var value string
			if err := text(d, &value); err != nil {
				return err
			}
			(*to)[name] = value
		}
		return nil
	}
}

// payload reads the version of a payload format.
func payload(d *caddyfile.Dispenser, to *string) error {
	if err := text(d, to); err != nil {
		return err
	}
	if *to != "1.0" && *to != "2.0" {
		return d.Errf("payload is 1.0 or 2.0, not '%s'", *to)
	}
	return nil
}
