package timeseries

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// A file has the points of many series. It is written once, and not changed.
//
//	magic
//	of each series    points, and their checksum (4 bytes)
//	index             of each series, in the order of the IDs: ID less the one before, length (uvarints)
//	footer            first and last time, place, length and checksum of the index, magic
type file struct {
	path        string
	first, last int64 // the least and the greatest time
	size        int64
	index       int64
	indexLength int64
	indexSum    uint32
}

const (
	magic        = "hearth-series-1\n"
	footerLength = 8*4 + 4 + len(magic)
	// maxIndex bounds an index, in bytes.
	maxIndex = 4 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A chunk is the points of a series in a file.
type chunk struct {
	id   uint32
	data []byte
}

// writeFile writes a file of chunks, which are in the order of their IDs, at once.
func writeFile(path string, chunks func(yield func(chunk) bool)) (_ *file, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	out := &file{path: path, first: math.MaxInt64, last: math.MinInt64, index: int64(len(magic))}
	w := bufio.NewWriterSize(f, 1<<16)
	_, _ = w.WriteString(magic) // Flush has its error
	var index, sum []byte
	before := uint32(0)
	for c := range chunks {
		p := points{data: c.data}
		for p.next() {
			out.first, out.last = min(out.first, p.at), max(out.last, p.at)
		}
		index = binary.AppendUvarint(index, uint64(c.id-before))
		index = binary.AppendUvarint(index, uint64(len(c.data)+4))
		before = c.id
		sum = binary.LittleEndian.AppendUint32(sum[:0], crc32.Checksum(c.data, castagnoli))
		_, _ = w.Write(c.data)
		_, _ = w.Write(sum)
		out.index += int64(len(c.data) + 4)
	}
	out.indexLength, out.indexSum = int64(len(index)), crc32.Checksum(index, castagnoli)
	_, _ = w.Write(index)
	_, _ = w.Write(out.footer())
	err = errors.Join(w.Flush(), f.Sync(), f.Close())
	if err != nil {
		return nil, err
	}
	out.size = out.index + out.indexLength + int64(footerLength)
	return out, os.Rename(f.Name(), path)
}

func (f *file) footer() (b []byte) {
	for _, n := range []int64{f.first, f.last, f.index, f.indexLength} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = binary.LittleEndian.AppendUint32(b, f.indexSum)
	return append(b, magic...)
}

// openFile reads the footer of a file.
func openFile(path string) (*file, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	f := &file{path: path, size: info.Size()}
	b := make([]byte, footerLength)
	if f.size < int64(footerLength+len(magic)) {
		return nil, fmt.Errorf("%s: %w", path, errDamaged)
	}
	if _, err := r.ReadAt(b, f.size-int64(footerLength)); err != nil {
		return nil, err
	}
	for n, v := range []*int64{&f.first, &f.last, &f.index, &f.indexLength} {
		*v = int64(binary.LittleEndian.Uint64(b[8*n:]))
	}
	f.indexSum = binary.LittleEndian.Uint32(b[32:])
	if string(b[36:]) != magic || f.index < int64(len(magic)) || f.indexLength < 0 || f.indexLength > maxIndex || f.index > f.size || f.index+f.indexLength+int64(footerLength) != f.size {
		return nil, fmt.Errorf("%s: %w", path, errDamaged)
	}
	return f, nil
}

// read gives visit the points of series. wanted are in order; nil: of all series.
func (f *file) read(wanted []uint32, visit func(id uint32, data []byte) error) error {
	r, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer r.Close()
	var data []byte
	return f.walk(r, func(id uint32, at int64, length int) (bool, error) {
		if wanted != nil {
			for len(wanted) > 0 && wanted[0] < id {
				wanted = wanted[1:]
			}
			if len(wanted) == 0 || wanted[0] != id {
				return len(wanted) > 0, nil
			}
		}
		data = slices.Grow(data[:0], length)[:length]
		if _, err := r.ReadAt(data, at); err != nil {
			return false, fmt.Errorf("%s: %w", f.path, err)
		}
		points, sum := data[:length-4], binary.LittleEndian.Uint32(data[length-4:])
		if crc32.Checksum(points, castagnoli) != sum {
			return false, fmt.Errorf("%s: series %d: %w", f.path, id, errDamaged)
		}
		return true, visit(id, points)
	})
}

// ids gives visit the IDs of the series.
func (f *file) ids(visit func(id uint32)) error {
	r, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer r.Close()
	return f.walk(r, func(id uint32, _ int64, _ int) (bool, error) { visit(id); return true, nil })
}

// walk reads the index, until visit returns false.
func (f *file) walk(r *os.File, visit func(id uint32, at int64, length int) (bool, error)) error {
	index := make([]byte, f.indexLength)
	if _, err := r.ReadAt(index, f.index); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if crc32.Checksum(index, castagnoli) != f.indexSum {
		return fmt.Errorf("%s: index: %w", f.path, errDamaged)
	}
	id, at := uint32(0), int64(len(magic))
	for len(index) > 0 {
		step, n := binary.Uvarint(index)
		length, m := binary.Uvarint(index[max(n, 0):])
		if n <= 0 || m <= 0 || length < 4 || length > uint64(f.index-at) || step > math.MaxUint32 {
			return fmt.Errorf("%s: index: %w", f.path, errDamaged)
		}
		index = index[n+m:]
		id += uint32(step)
		if more, err := visit(id, at, int(length)); err != nil || !more {
			return err
		}
		at += int64(length)
	}
	return nil
}

func (f *file) remove() error { return os.Remove(f.path) }
