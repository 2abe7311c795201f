package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// MaxSize bounds a document, in bytes. AWS's limit is 6 MB.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
const MaxSize = 10 << 20

// maxDepth and maxValues bound how deep a document is nested, and how many values it has once
// aliases of YAML are replaced.
const (
	maxDepth  = 100
	maxValues = 1 << 20
)

// read makes JSON of a document.
func read(data []byte) (json.RawMessage, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the document has %d bytes, %d at most", len(data), MaxSize)
	}
	var document any
	if trimmed := bytes.TrimLeft(data, " \t\r\n\ufeff"); len(trimmed) > 0 && trimmed[0] == '{' {
		decoder := json.NewDecoder(bytes.NewReader(trimmed))
		decoder.UseNumber()
		if err := decoder.Decode(&document); err != nil {
			return nil, fmt.Errorf("no JSON: %w", err)
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return nil, errors.New("no JSON: there is more after its end")
		}
	} else if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("no YAML: %w", err)
	}
	values := 0
	plain, err := plainOf(document, 0, &values)
	if err != nil {
		return nil, err
	}
	if _, ok := plain.(map[string]any); !ok {
		return nil, errors.New("the document is no object")
	}
	return json.Marshal(plain)
}

// plainOf makes the keys of maps text, and checks the bounds.
func plainOf(value any, depth int, values *int) (any, error) {
	if *values++; depth > maxDepth || *values > maxValues {
		return nil, fmt.Errorf("the document is nested deeper than %d levels, or has more than %d values", maxDepth, maxValues)
	}
	var err error
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			if value[key], err = plainOf(v, depth+1, values); err != nil {
				return nil, err
			}
		}
		return value, nil
	case map[any]any:
		plain := make(map[string]any, len(value))
		for key, v := range value {
			name := fmt.Sprint(key)
			if _, twice := plain[name]; twice {
				return nil, fmt.Errorf("the key %.64q is there twice", name)
			}
			if plain[name], err = plainOf(v, depth+1, values); err != nil {
				return nil, err
			}
		}
		return plain, nil
	case []any:
		for n, v := range value {
			if value[n], err = plainOf(v, depth+1, values); err != nil {
				return nil, err
			}
		}
	case float64:
		if value != value || value > 1e300 || value < -1e300 {
			return nil, errors.New("a number in the document is none of JSON")
		}
	}
	return value, nil
}
