package python

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// maxBytecode bounds the bytecode of one file, in bytes. hearth_compile takes sources of 2 MB.
const maxBytecode = 32 << 20

// maxName bounds the path of a file, in bytes: Linux's own limit.
const maxName = 4096

// CompileArgs returns the arguments for an interpreter that compiles what is below root, and
// writes it to descriptor 3 for ReadBytecode. dir is the folder of the bootstrap.
func CompileArgs(dir, root string) []string {
	return []string{"-I", "-S", "-B", "-X", "utf8", filepath.Join(dir, "hearth_compile.py"), root}
}

// ReadBytecode reads what hearth_compile has written and calls put for each file. A file that
// was not written to its end ends the reading: the process was killed. The error is put's, or
// says that r holds something else.
func ReadBytecode(r io.Reader, put func(name string, data []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		var lengths [8]byte
		if _, err := io.ReadFull(in, lengths[:]); err != nil {
			return unlessEnd(err)
		}
		name, data := binary.LittleEndian.Uint32(lengths[:4]), binary.LittleEndian.Uint32(lengths[4:])
		if name == 0 || name > maxName || data > maxBytecode {
			return fmt.Errorf("bytecode: a path of %d and a file of %d bytes", name, data)
		}
		record := make([]byte, name+data)
		if _, err := io.ReadFull(in, record); err != nil {
			return unlessEnd(err)
		}
		if err := put(string(record[:name]), record[name:]); err != nil {
			return err
		}
	}
}

func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
