package registry

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hearthfn/hearth/warmpool/state"
)

// recordFormat is the format of the records that this package writes. A field
// that older code may ignore needs no new one.
const recordFormat = 1

type envelope struct {
	Format int             `json:"format"`
	Data   json.RawMessage `json:"data"`
}

func encode(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{Format: recordFormat, Data: data})
}

// decode reads a record into value. The error names the record and is
// state.ErrNewer or state.ErrDamaged.
func decode(r state.Record, value any) error {
	var e envelope
	if err := json.Unmarshal(r.Value, &e); err != nil {
		return fmt.Errorf("record %q of %q: %w: %w", r.Name, r.Owner, state.ErrDamaged, err)
	}
	switch {
	case e.Format > recordFormat:
		return fmt.Errorf("record %q of %q has format %d, this Hearth knows %d: %w", r.Name, r.Owner, e.Format, recordFormat, state.ErrNewer)
	case e.Format < 1 || len(e.Data) == 0:
		return fmt.Errorf("record %q of %q: %w: it names no format or holds nothing", r.Name, r.Owner, state.ErrDamaged)
	}
	if err := json.Unmarshal(e.Data, value); err != nil {
		return fmt.Errorf("record %q of %q: %w: %w", r.Name, r.Owner, state.ErrDamaged, err)
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, state.ErrNotFound) }
