package runtimes

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestHeadComesBackAsItWent(t *testing.T) {
	for kind := KindReady; kind <= KindBooted; kind++ {
		want := Head{Kind: kind, Length: MaxPayload, Seq: math.MaxUint32, Value: 0x01020304}
		wire := AppendHead([]byte("before"), want)
		if string(wire[:6]) != "before" || len(wire) != 6+HeadSize {
			t.Fatalf("%s: got % x", kind, wire)
		}
		if got, err := ParseHead(wire[6:]); got != want || err != nil {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		if strings.HasPrefix(kind.String(), "kind(") {
			t.Errorf("kind %d has no name", kind)
		}
	}
	wire := AppendHead(nil, Head{Kind: KindInvoke, MetaLen: 0x0102, Length: 0x03040506, Seq: 0x0708090a, Value: 0x0b0c0d0e})
	if want := "\xfe\x02\x02\x01\x06\x05\x04\x03\x0a\x09\x08\x07\x0e\x0d\x0c\x0b"; string(wire) != want {
		t.Errorf("on the wire: % x, want % x", wire, want)
	}
}

func TestWhatARuntimeMayNotSendIsOutOfStep(t *testing.T) {
	for name, test := range map[string]struct {
		wire []byte
		want string
	}{
		"text":               {[]byte("this is no frame"), "frame channel out of step: first byte is 0x74"},
		"the gateway's kind": {AppendHead(nil, Head{Kind: KindInvoke}), "frame channel out of step: invoke is not for a runtime to send"},
		"no kind":            {AppendHead(nil, Head{Kind: 25}), "frame channel out of step: kind(25) is not for a runtime to send"},
		"too long":           {AppendHead(nil, Head{Kind: KindResult, Length: MaxPayload + 1}), "frame channel out of step: result of 6357093 bytes"},
		"as long as may be":  {AppendHead(nil, Head{Kind: KindLog, Length: math.MaxUint32}), "frame channel out of step: log of 4294967295 bytes"},
	} {
		if head, err := ParseHead(test.wire); !errors.Is(err, ErrProtocol) || err.Error() != test.want || head != (Head{}) {
			t.Errorf("%s: got %+v, %v, want %s", name, head, err, test.want)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	for kind := KindInit; kind <= KindStreamEnd+1; kind++ {
		f.Add(AppendHead(nil, Head{Kind: kind, Length: 7, Seq: 1, Value: 2}))
	}
	f.Add([]byte(strings.Repeat("\xfe", HeadSize)))
	f.Fuzz(func(t *testing.T, wire []byte) {
		if len(wire) < HeadSize {
			return // callers have read a head
		}
		head, err := ParseHead(wire)
		if err != nil {
			if !errors.Is(err, ErrProtocol) || head != (Head{}) {
				t.Errorf("got %+v, %v", head, err)
			}
			return
		}
		if head.Length > MaxPayload || head.Kind < KindReady || head.Kind > KindBooted {
			t.Errorf("accepted %+v", head)
		}
		if again := AppendHead(nil, head); string(again) != string(wire[:HeadSize]) {
			t.Errorf("% x became % x", wire[:HeadSize], again)
		}
	})
}

func TestInvokeFrameHoldsMetaAndEvent(t *testing.T) {
	in := &Invoke{
		RequestID: "id", DeadlineMillis: 1.5e12, TraceID: "Root=1", InvokedFunctionARN: "arn:é",
		ClientContext: `{"a":1}`, Identity: "",
	}
	frame, err := BeginInvoke([]byte("before"), in)
	if err != nil {
		t.Fatal(err)
	}
	frame = append(frame, `{"event":true}`...)[len("before"):]
	FinishInvoke(frame, 9, in.DeadlineMillis)
	got, seq, event := readInvoke(t, frame)
	if got != *in || seq != 9 || event != `{"event":true}` || InvokeSeq(frame) != 9 {
		t.Errorf("got %+v, %d, %s", got, seq, event)
	}
}

func TestInvokeFrameIsFinishedAgainForAnotherEnvironment(t *testing.T) {
	frame, err := BeginInvoke(nil, &Invoke{RequestID: "id"})
	if err != nil {
		t.Fatal(err)
	}
	frame = append(frame, "null"...)
	FinishInvoke(frame, 3, 1000)
	FinishInvoke(frame, 1, 2000.5)
	if in, seq, event := readInvoke(t, frame); in != (Invoke{RequestID: "id", DeadlineMillis: 2000}) || seq != 1 || event != "null" {
		t.Errorf("got %+v, %d, %s", in, seq, event)
	}
}

func TestMetaThatIsTooLongIsRefused(t *testing.T) {
	fits := math.MaxUint16 - metaFixed
	if _, err := BeginInvoke(nil, &Invoke{ClientContext: strings.Repeat("x", fits)}); err != nil {
		t.Error(err)
	}
	frame, err := BeginInvoke([]byte("kept"), &Invoke{ClientContext: strings.Repeat("x", fits), Identity: "y"})
	if want := "client context, identity and trace header are 65536 bytes long together, 65535 at most"; err == nil || err.Error() != want || string(frame) != "kept" {
		t.Errorf("got %.20q, %v, want %s", frame, err, want)
	}
}

// readInvoke reads an invoke frame as a bootstrap does.
func readInvoke(t *testing.T, frame []byte) (in Invoke, seq uint32, event string) {
	t.Helper()
	le := binary.LittleEndian
	if frame[0] != Magic || Kind(frame[1]) != KindInvoke || int(le.Uint32(frame[4:])) != len(frame)-HeadSize || le.Uint32(frame[12:]) != 0 {
		t.Fatalf("head % x of a frame of %d bytes", frame[:HeadSize], len(frame))
	}
	meta, event := frame[HeadSize:HeadSize+int(le.Uint16(frame[2:]))], string(frame[HeadSize+int(le.Uint16(frame[2:])):])
	in.DeadlineMillis = math.Float64frombits(le.Uint64(meta))
	rest := meta[metaFixed:]
	for n, field := range []*string{&in.RequestID, &in.TraceID, &in.InvokedFunctionARN, &in.ClientContext, &in.Identity} {
		length := int(le.Uint16(meta[8+2*n:]))
		*field, rest = string(rest[:length]), rest[length:]
	}
	if len(rest) != 0 {
		t.Fatalf("%d bytes of meta are left", len(rest))
	}
	return in, le.Uint32(frame[8:]), event
}
