package model

import (
	"fmt"
	"reflect"
)

// fill puts values into the struct that into points to. A field that cannot hold
// its member is an error in the program, found by the first call in a test.
func fill(values map[string]any, into any) {
	if into != nil {
		fillStruct(values, reflect.ValueOf(into).Elem())
	}
}

func fillStruct(values map[string]any, v reflect.Value) {
	for name, value := range values {
		// Members of some services begin with a small letter, and fields with a capital.
		if field := v.FieldByName(upperFirst(name)); field.IsValid() {
			set(value, field, name)
		}
	}
}

func set(value any, v reflect.Value, name string) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	given := reflect.ValueOf(value)
	switch {
	case v.Kind() == reflect.Interface:
		v.Set(given)
	case v.Type() == given.Type():
		v.Set(given) // string, bool, []byte, time.Time, float64
	case v.CanInt() && given.CanInt():
		v.SetInt(given.Int())
	case v.Kind() == reflect.String && given.Kind() == reflect.String:
		v.SetString(given.String())
	case v.Kind() == reflect.Slice && given.Type() == reflect.TypeFor[[]any]():
		list := value.([]any)
		v.Set(reflect.MakeSlice(v.Type(), len(list), len(list)))
		for i, element := range list {
			set(element, v.Index(i), name)
		}
	case v.Kind() == reflect.Map:
		values := value.(map[string]any)
		v.Set(reflect.MakeMapWithSize(v.Type(), len(values)))
		for key, element := range values {
			e := reflect.New(v.Type().Elem()).Elem()
			set(element, e, name)
			v.SetMapIndex(reflect.ValueOf(key), e)
		}
	case v.Kind() == reflect.Struct:
		fillStruct(value.(map[string]any), v)
	default:
		panic(fmt.Sprintf("field %s is a %s, its member a %T", name, v.Type(), value))
	}
}

func upperFirst(name string) string {
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		return name
	}
	return string(name[0]-'a'+'A') + name[1:]
}
