package apigatewayv1

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A patch is one change of an update.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PatchOperation.html
type patch struct {
	Op, Path, Value, From string
}

// patches are what updates ask for.
type patches struct {
	PatchOperations []patch
}

// A field takes the value of a patch. remove says that there is none any more.
type field func(value string, remove bool) error

// fields are what can be patched: by path, or, if the path ends in a slash, by what begins so;
// then the field gets the rest of the path by its maker.
type fields struct {
	exact  map[string]field
	prefix map[string]func(name string) field
	// once, if set, refuses another operation than replace of a field of exact, as AWS does: one
	// without a value could take the authorization away.
	once func(p patch) error
	// bare says that AWS does not list the fields when it refuses a path.
	bare bool
	// onlyReplace refuses all other operations, and order is how AWS lists the fields then.
	onlyReplace bool
	order       []string
}

// unescape is the pointer's part as it is meant. RFC 6901
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// apply applies patches in their order.
func (f *fields) apply(all []patch) error {
	for _, p := range all {
		if f.onlyReplace && p.Op != "replace" {
			return invalid("Invalid patch path  '%.200s' specified for op '%.20s'. Please choose supported operations", p.Path, p.Op)
		}
		if p.Op != "replace" && p.Op != "add" && p.Op != "remove" {
			return invalid("Patch operation %.20q is not supported: there are replace, add and remove", p.Op)
		}
		to := f.of(p.Path)
		if f.once != nil && p.Op != "replace" && f.exact[p.Path] != nil {
			return f.once(p)
		}
		if to == nil && (f.bare || f.prefix[p.Path+"/"] != nil) {
			return invalid("Invalid patch path %.200s", p.Path)
		}
		if to == nil {
			return invalid("Invalid patch path  '%.200s' specified for op '%s'. Must be one of: [%s]", p.Path, p.Op, strings.Join(f.paths(), ", "))
		}
		if err := to(p.Value, p.Op == "remove"); err != nil {
			return err
		}
	}
	return nil
}

func (f *fields) of(path string) field {
	if to := f.exact[path]; to != nil {
		return to
	}
	for prefix, to := range f.prefix {
		// A slash in a name is written ~1.
		if name, found := strings.CutPrefix(path, prefix); found && name != "" && !strings.Contains(name, "/") {
			return to(name)
		}
	}
	return nil
}

func (f *fields) paths() []string {
	if f.order != nil {
		return f.order
	}
	paths := slices.Collect(maps.Keys(f.exact))
	for prefix := range f.prefix {
		paths = append(paths, prefix+"{name}")
	}
	slices.Sort(paths)
	return paths
}

// text is a field of text.
func text(to *string) field {
	return func(value string, _ bool) error {
		*to = value
		return nil
	}
}

// flag is a field of true or false.
func flag(name string, to *bool) field {
	return func(value string, remove bool) error {
		b, err := strconv.ParseBool(value)
		if err != nil && !remove {
			return invalid("Invalid value '%.20s' of %s: true or false is expected", value, name)
		}
		*to = b
		return nil
	}
}

// number is a field of a whole number.
func number(name string, to *int) field {
	return func(value string, remove bool) error {
		n, err := strconv.Atoi(value)
		if err != nil && !remove {
			return invalid("Invalid value '%.20s' of %s: a whole number is expected", value, name)
		}
		*to = n
		return nil
	}
}

// entry makes the field of one name of a map.
func entry[T any](to *map[string]T, read func(value string) (T, error)) func(name string) field {
	return func(name string) field {
		name = unescape.Replace(name)
		return func(value string, remove bool) error {
			if remove {
				delete(*to, name)
				return nil
			}
			v, err := read(value)
			if err != nil {
				return err
			}
			if *to == nil {
				*to = make(map[string]T)
			}
			(*to)[name] = v
			return nil
		}
	}
}

func asText(value string) (string, error) { return value, nil }

func asFlag(value string) (bool, error) {
	b, err := strconv.ParseBool(value)
	if err != nil {
		return false, invalid("Invalid value '%.20s': true or false is expected", value)
	}
	return b, nil
}

// member makes the field of one name of a set of names.
func member(to *[]string) func(name string) field {
	return func(name string) field {
		name = unescape.Replace(name)
		return func(_ string, remove bool) error {
			*to = slices.DeleteFunc(*to, func(is string) bool { return is == name })
			if !remove {
				*to = append(*to, name)
			}
			return nil
		}
	}
}

// off is a field that has one value here. why is the end of a sentence.
func off(name, value, why string) field {
	return func(given string, remove bool) error {
		if remove || given == value || given == "" {
			return nil
		}
		return invalid("%s is not supported: %s", name, why)
	}
}
