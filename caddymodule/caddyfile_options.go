package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// A reader reads the arguments of an option, and its block if it has one. The option's
// name is the dispenser's value.
type reader func(*caddyfile.Dispenser) error

// An option is one that a block may have.
type option struct {
	name string
	read reader
}

// readBlock reads the options of a block. The error about one that there is not says
// what it is, with %s for its name, and lists those that there are, in their order. The
// test of the manual reads that list.
func readBlock(d *caddyfile.Dispenser, unknown string, options []option) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		read := readerOf(options, d.Val())
		if read == nil {
			return d.Errf("unrecognized "+unknown+"; %s", d.Val(), thereAre(options))
		}
		if err := read(d); err != nil {
			return err
		}
	}
	return nil
}

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
	names := make([]string, len(options))
	for n, o := range options {
		names[n] = o.name
	}
	switch last := len(names) - 1; last {
	case -1:
		return "there are none"
	case 0:
		return "there is " + names[0]
	default:
		return "there are " + strings.Join(names[:last], ", ") + " and " + names[last]
	}
}

// into is the reader of an option that has one value, or several of one kind.
func into[T any](read func(*caddyfile.Dispenser, *T) error, to *T) reader {
	return func(d *caddyfile.Dispenser) error { return read(d, to) }
}
