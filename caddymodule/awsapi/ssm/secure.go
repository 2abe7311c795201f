package ssm

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
)

// defaultKey is the name that AWS's own key for parameters has.
const defaultKey = "alias/aws/ssm"

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length of the key is the program's
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// seal encrypts the value of a parameter. It is of no use under another name.
func (s *service) seal(name, value string) string {
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(value), []byte(name)))
}

func (s *service) open(name, sealed string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(sealed)
	if err == nil {
		data, err = s.aead.Open(nil, nil, data, []byte(name))
	}
	if err != nil {
		return "", exception("InvalidKeyId", "Parameter %s was encrypted under other credentials: the first access key in the file credentials is not the one of then.", name)
	}
	return string(data), nil
}
