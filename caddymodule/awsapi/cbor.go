package awsapi

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/hearthfn/hearth/warmpool/bodies"
)

// A Time is written as each protocol writes times.
type Time time.Time

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, t.seconds(), 'f', -1, 64), nil
}

// MarshalCBOR implements cbor.Marshaler.
func (t Time) MarshalCBOR() ([]byte, error) {
	return cborOut.Marshal(cbor.Tag{Number: 1, Content: t.seconds()})
}

func (t Time) seconds() float64 { return float64(time.Time(t).UnixMilli()) / 1000 }

// cborOut and cborIn do not change. Bounds of what is read are those of any call that a model has.
var (
	cborOut = must(cbor.EncOptions{}.EncMode())
	cborIn  = must(cbor.DecOptions{
		MaxNestedLevels: 32, MaxArrayElements: 1 << 17, MaxMapPairs: 1 << 12, DupMapKey: cbor.DupMapKeyEnforcedAPF,
		TimeTag: cbor.DecTagIgnored, DefaultMapType: reflect.TypeFor[map[string]any](), BignumTag: cbor.BignumTagForbidden,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options are constant
	}
	return v
}

// encodeCBOR writes an answer. Its members have the names that JSON has.
func encodeCBOR(out any) []byte {
	body, err := cborOut.Marshal(out)
	if err != nil {
		panic(err) // outputs are plain structs
	}
	return body
}

// decodeCBOR reads a body into what package json makes of JSON.
func decodeCBOR(body []byte) (map[string]any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	var document any
	if err := cborIn.Unmarshal(body, &document); err != nil {
		return nil, serialization("The body is not CBOR: " + err.Error())
	}
	object, ok := asJSON(document).(map[string]any)
	if !ok {
		return nil, serialization("The body is no structure")
	}
	return object, nil
}

func serialization(message string) error {
	return &Exception{Name: "SerializationException", Message: message}
}

// asJSON makes of a value what package json would make of it.
func asJSON(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = asJSON(inner)
		}
	case []any:
		for n, inner := range v {
			v[n] = asJSON(inner)
		}
	case cbor.Tag:
		return asJSON(v.Content)
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "not a number" // the model refuses it
		}
		return json.Number(strconv.FormatFloat(v, 'g', -1, 64))
	case *big.Int:
		return json.Number(v.String())
	case time.Time:
		// UnixNano has no years after 2262, which clients give for the end of a time.
		return json.Number(strconv.FormatFloat(float64(v.Unix())+float64(v.Nanosecond())/1e9, 'f', -1, 64))
	}
	return value
}

// inflate undoes the compression of a body.
func (s *Service) inflate(r *http.Request, body []byte) ([]byte, error) {
	if !s.Gzip || r.Header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, serialization("The body is not compressed as its header says")
	}
	plain, err := io.ReadAll(io.LimitReader(z, s.MaxBody+1))
	switch {
	case err != nil:
		return nil, serialization("The body is not compressed as its header says")
	case int64(len(plain)) > s.MaxBody:
		return nil, s.unread(bodies.ErrTooLarge)
	}
	return plain, nil
}
