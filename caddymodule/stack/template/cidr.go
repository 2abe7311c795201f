package template

import (
	"math/big"
	"net/netip"
	"strconv"
)

const maxBlocks = 256

// cidr cuts an address block into count blocks of 2^bits addresses.
func (e *evaluator) cidr(argument any) (any, error) {
	const wrong = "Template error: every Fn::Cidr object requires two parameters, (1) an ip block and (2) a count of subnets, and an optional third, the cidr bits"
	parts, ok := argument.([]any)
	if !ok || len(parts) < 2 || len(parts) > 3 {
		return nil, errorf(wrong)
	}
	var texts []string
	for _, part := range parts {
		text, err := e.text(part, wrong)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	block, err := netip.ParsePrefix(texts[0])
	if err != nil {
		return nil, errorf("Template error: Fn::Cidr: %s is no ip block", texts[0])
	}
	width := block.Addr().BitLen()
	bits := 8
	if len(texts) == 3 {
		bits, err = strconv.Atoi(texts[2])
	}
	count, err2 := strconv.Atoi(texts[1])
	if err != nil || err2 != nil || count < 1 || count > maxBlocks || bits < 1 || bits > width-block.Bits() {
		return nil, errorf("Template error: Fn::Cidr: the count must be from 1 to %d, the cidr bits must fit into the block", maxBlocks)
	}
	if room := width - block.Bits() - bits; room < 9 && count > 1<<room {
		return nil, errorf("Template error: Fn::Cidr: %s does not have room for %d blocks of %d bits", texts[0], count, bits)
	}
	at := new(big.Int).SetBytes(block.Masked().Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(bits))
	blocks := []any{}
	for range count {
		raw := at.FillBytes(make([]byte, width/8))
		address, _ := netip.AddrFromSlice(raw)
		blocks = append(blocks, netip.PrefixFrom(address, width-bits).String())
		at.Add(at, step)
	}
	return blocks, nil
}
