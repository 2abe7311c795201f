package s3

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"

	"github.com/hearthfn/hearth/caddymodule/awsapi/s3/artefact"
)

// Checksums by their algorithms.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
	algorithms = map[string]func() hash.Hash{
		"crc32":     func() hash.Hash { return crc32.NewIEEE() },
		"crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
		"crc64nvme": func() hash.Hash { return crc64.New(nvme) },
		"sha1":      sha1.New,
		"sha256":    sha256.New,
	}
)

// What a checksum is of.
const (
	wholeObject = "FULL_OBJECT"
	composite   = "COMPOSITE"
)

// defaultAlgorithm is that of objects whose client names none, as on AWS.
const defaultAlgorithm = "crc64nvme"

const checksumHeader = "x-amz-checksum-"

// checksumHeaders are those that an operation with a checksum knows.
var checksumHeaders = []string{"checksum-crc32", "checksum-crc32c", "checksum-crc64nvme", "checksum-sha1", "checksum-sha256", "checksum-type", "checksum-algorithm"}

// givenSum is the checksum in a header. Without one its algorithm is "".
func givenSum(h http.Header) (sum artefact.Sum, err error) {
	for algorithm := range algorithms {
		value := h.Get(checksumHeader + algorithm)
		if value == "" {
			continue
		}
		if sum.Algorithm != "" {
			return sum, badRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		sum.Algorithm, sum.Value = algorithm, value
	}
	return sum, nil
}

// trailerSum is the algorithm of the checksum that a trailer will have.
func trailerSum(h http.Header) (algorithm string, err error) {
	trailer := strings.ToLower(strings.TrimSpace(h.Get("X-Amz-Trailer")))
	if trailer == "" {
		return "", nil
	}
	algorithm, found := strings.CutPrefix(trailer, checksumHeader)
	if !found || algorithms[algorithm] == nil {
		return "", badRequest("The value specified in the x-amz-trailer header is not supported")
	}
	return algorithm, nil
}

func encodeSum(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

// setSum gives a checksum back.
func setSum(h http.Header, sum artefact.Sum) {
	if sum.Value == "" {
		return
	}
	h.Set(checksumHeader+sum.Algorithm, sum.Value)
	h.Set(checksumHeader+"type", sum.Type)
}

// sums are checksums as XML has them.
type sums struct {
	ChecksumCRC32, ChecksumCRC32C, ChecksumCRC64NVME, ChecksumSHA1, ChecksumSHA256, ChecksumType string `xml:",omitempty"`
}

func (s *sums) set(sum artefact.Sum) {
	if sum.Value == "" {
		return
	}
	s.ChecksumType = sum.Type
	*s.field(sum.Algorithm) = sum.Value
}

func (s *sums) field(algorithm string) *string {
	switch algorithm {
	case "crc32":
		return &s.ChecksumCRC32
	case "crc32c":
		return &s.ChecksumCRC32C
	case "crc64nvme":
		return &s.ChecksumCRC64NVME
	case "sha1":
		return &s.ChecksumSHA1
	}
	return &s.ChecksumSHA256
}
