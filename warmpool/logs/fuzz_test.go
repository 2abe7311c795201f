package logs

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestRecordAtTheEndOfTheReadBufferIsReadWhole(t *testing.T) {
	for _, further := range []string{"", "\n\tfurther"} {
		data := appendStream(nil, 1, "stream")
		head := "2023-11-23T12:00:00.000Z 1 8f5d "
		text := strings.Repeat("a", batchSize-len(data)-len(head)-1)
		data = append(data, head+text+further+"\n"...)
		data = append(data, strings.Repeat("b", batchSize)...)
		e, err := newDecoder(bytes.NewReader(data)).next()
		if want := text + strings.ReplaceAll(further, "\t", ""); err != nil || string(e.text) != want || string(e.requestID) != "8f5d" {
			t.Errorf("got %.20q of %q, %v", e.text, e.requestID, err)
		}
	}
}

// FuzzDecoder reads what may be on a disk after a crash.
func FuzzDecoder(f *testing.F) {
	whole := []byte("# 1 2023/11/23/[$LATEST]6c1f0a\n" +
		"2023-11-23T12:00:00.000Z 1 * START RequestId: 8f5d Version: $LATEST\n" +
		"2023-11-23T12:00:00.001Z 1 8f5d Error\n\tat x\n\t\n" +
		"2023-11-23T12:00:00.001Z 1 - late\n" +
		"2023-11-23T12:00:01.000Z 1 * REPORT RequestId: 8f5d\tDuration: 2.18 ms\t\n")
	for n := 0; n <= len(whole); n += 7 {
		f.Add(whole[:n])
	}
	f.Add([]byte("\n\n\t\t\n# \n# 1\n#\n2023-11-23T12:00:00.000Z 1 "))
	f.Add([]byte("# 1 s\n" + strings.Repeat("\t", batchSize-20) + "\n2023-11-23T12:00:00.000Z 1 - a\n\tb\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := newDecoder(bytes.NewReader(data))
		last := int64(-1)
		for range len(data) + 1 {
			e, err := d.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.offset <= last || e.offset >= int64(len(data)) {
				t.Fatalf("offset %d after %d, of %d bytes", e.offset, last, len(data))
			}
			last = e.offset
			if len(e.text) > len(data) || bytes.ContainsAny(e.requestID, " \n") {
				t.Fatalf("text of %d bytes, request ID %q", len(e.text), e.requestID)
			}
		}
		t.Fatal("the decoder does not come to an end")
	})
}

// FuzzText logs any bytes, with records before and after that must not suffer.
func FuzzText(f *testing.F) {
	f.Add("id", []byte("a\nb"))
	f.Add("*", []byte("\n\t# 1 x\n"))
	f.Add("", []byte("2023-11-23T12:00:00.000Z 1 - forged\n"))
	f.Fuzz(func(t *testing.T, id string, text []byte) {
		if len(text) > MaxLine {
			return
		}
		var c clock
		c.set(noon)
		data := appendStream(nil, 7, "stream")
		for _, text := range [][]byte{[]byte("before"), text, []byte("after")} {
			data = c.append(data)
			data = appendHead(data, 7, id, inField)
			data = appendText(data, text)
		}
		d := newDecoder(bytes.NewReader(data))
		for _, want := range []string{"before", string(text), "after"} {
			e, err := d.next()
			if err != nil || string(e.text) != want || e.name != "stream" || e.millis != noon.UnixMilli() {
				t.Fatalf("got %q of %q, %v; want %q", e.text, e.name, err, want)
			}
		}
		if e, err := d.next(); err != io.EOF {
			t.Fatalf("one more: %q, %v", e.text, err)
		}
	})
}
