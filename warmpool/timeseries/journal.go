package timeseries

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A journal has frames that are appended: length, checksum (4 bytes each), content. What a crash
// has torn off at its end is cut when it is opened.
type journal struct {
	f    *os.File
	size int64
}

// maxFrame bounds a frame, in bytes.
const maxFrame = 64 << 20

// openJournal gives visit the frames of a journal and opens it for more.
func openJournal(path string, visit func(frame []byte) error) (*journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f}
	if err := j.replay(visit); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	if err := f.Truncate(j.size); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

func (j *journal) replay(visit func(frame []byte) error) error {
	data, err := io.ReadAll(j.f)
	if err != nil {
		return err
	}
	for len(data) >= 8 {
		length, sum := binary.LittleEndian.Uint32(data), binary.LittleEndian.Uint32(data[4:])
		if length > maxFrame || int(length) > len(data)-8 {
			return nil
		}
		frame := data[8 : 8+length]
		if crc32.Checksum(frame, castagnoli) != sum {
			return nil
		}
		if err := visit(frame); errors.Is(err, errDamaged) {
			return nil
		} else if err != nil {
			return err
		}
		j.size += 8 + int64(length)
		data = data[8+length:]
	}
	return nil
}

// append appends a frame.
func (j *journal) append(frame []byte) error {
	b := make([]byte, 0, 8+len(frame))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(frame, castagnoli))
	b = append(b, frame...)
	if _, err := j.f.WriteAt(b, j.size); err != nil {
		return err // what it wrote of it is written over
	}
	j.size += int64(len(b))
	return nil
}

func (j *journal) close() error { return j.f.Close() }
