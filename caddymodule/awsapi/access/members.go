package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

var errNoObject = errors.New("the body is no JSON object")

// Members reads a JSON object for policies to be asked, whose service reads it by Go's package json.
// That takes no notice of capitals, and fills a field from each of several members. So a name that
// is there twice, however it is written, is an error.
func Members(body []byte) (map[string]any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return nil, errNoObject
	}
	members, seen := make(map[string]any), make(map[string]bool)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, errNoObject
		}
		name, _ := token.(string)
		small := strings.ToLower(name)
		if strings.ContainsFunc(name, func(c rune) bool { return c > unicode.MaxASCII }) || seen[small] {
			return nil, fmt.Errorf("the member %.64q is there twice, or is no name", name)
		}
		seen[small] = true
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, errNoObject
		}
		members[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, errNoObject
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoObject
	}
	return members, nil
}

// small is the input with names in small letters.
func (in *Input) small() *Input {
	all := make(map[string]any, len(in.JSON))
	for name, v := range in.JSON {
		all[strings.ToLower(name)] = v
	}
	return &Input{JSON: all, HTTP: in.HTTP}
}
