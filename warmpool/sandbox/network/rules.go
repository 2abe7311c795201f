package network

import (
	"net"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// A match is a part of a rule: expressions that stop it when they do not hold, or
// what it does in the end.
type match []expr.Any

// rule joins matches to what a rule is made of.
func rule(parts ...match) []expr.Any {
	var all []expr.Any
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func meta(key expr.MetaKey, op expr.CmpOp, data []byte) match {
	return match{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: data}}
}

// interfaceName is a name as the kernel compares it.
func interfaceName(name string) []byte {
	data := make([]byte, unix.IFNAMSIZ)
	copy(data, name)
	return data
}

func from(name string) match    { return meta(expr.MetaKeyIIFNAME, expr.CmpOpEq, interfaceName(name)) }
func notFrom(name string) match { return meta(expr.MetaKeyIIFNAME, expr.CmpOpNeq, interfaceName(name)) }
func to(name string) match      { return meta(expr.MetaKeyOIFNAME, expr.CmpOpEq, interfaceName(name)) }
func notTo(name string) match   { return meta(expr.MetaKeyOIFNAME, expr.CmpOpNeq, interfaceName(name)) }

func protocol(number byte) match { return meta(expr.MetaKeyL4PROTO, expr.CmpOpEq, []byte{number}) }

// state matches packets whose connection is in one of the states.
func state(bits uint32) match {
	return match{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func established() match { return state(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED) }

// untranslated matches connections whose destination the machine has not changed, as for
// the published ports of containers.
func untranslated() match {
	const destination = 1 << 5 // IPS_DST_NAT of linux/netfilter/nf_conntrack_common.h
	return match{
		&expr.Ct{Key: expr.CtKeySTATUS, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(destination), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}
}

func family(is4 bool) match {
	number := byte(unix.NFPROTO_IPV6)
	if is4 {
		number = unix.NFPROTO_IPV4
	}
	return meta(expr.MetaKeyNFPROTO, expr.CmpOpEq, []byte{number})
}

// The offsets of addresses in the headers of IPv4 and IPv6.
func sourceField(is4 bool) *expr.Payload {
	if is4 {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
	}
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 8, Len: 16}
}

func targetField(is4 bool) *expr.Payload {
	if is4 {
		return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
	}
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 16}
}

// target matches packets to a range of addresses.
func target(p netip.Prefix) match { return within(p, targetField(p.Addr().Is4()), expr.CmpOpEq) }

func source(p netip.Prefix) match { return within(p, sourceField(p.Addr().Is4()), expr.CmpOpEq) }

func notSource(p netip.Prefix) match { return within(p, sourceField(p.Addr().Is4()), expr.CmpOpNeq) }

// otherSource6 matches IPv6 packets that do not come from an address, all if it is
// invalid.
func otherSource6(address netip.Addr) match {
	if !address.IsValid() {
		return family(false)
	}
	return notSource(single(address))
}

// orNobody is the address, or if it is invalid one that no packet comes from.
func orNobody(address netip.Addr) netip.Addr {
	if !address.IsValid() {
		return netip.IPv6Loopback()
	}
	return address
}

func within(p netip.Prefix, field *expr.Payload, op expr.CmpOp) match {
	m := append(family(p.Addr().Is4()), field)
	data := p.Masked().Addr().AsSlice()
	if p.Bits() < p.Addr().BitLen() {
		mask := net.CIDRMask(p.Bits(), p.Addr().BitLen())
		m = append(m, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(len(data)), Mask: mask, Xor: make([]byte, len(data))})
	}
	return append(m, &expr.Cmp{Op: op, Register: 1, Data: data})
}

// neighbours matches what IPv6 has in the place of ARP.
func neighbours() match {
	const solicitation, advertisement = 135, 136
	return append(protocol(unix.IPPROTO_ICMPV6),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: []byte{solicitation}, ToData: []byte{advertisement}})
}

func jump(c *nftables.Chain) match {
	return match{&expr.Verdict{Kind: expr.VerdictJump, Chain: c.Name}}
}

func targetPort(protocolNumber byte, port uint16) match {
	return append(protocol(protocolNumber),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(port)})
}

// targetType matches by what kind of address the kernel's routes say that the target
// is, as RTN_LOCAL for any address of this machine.
func targetType(op expr.CmpOp, kind uint32) match {
	return match{
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: op, Register: 1, Data: binaryutil.NativeEndian.PutUint32(kind)},
	}
}

// forged matches packets that come from where no answer to them would go.
func forged() match {
	return match{
		&expr.Fib{Register: 1, FlagSADDR: true, FlagIIF: true, ResultOIF: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}
}

// byGroup goes on by the group of the interface that a packet came from.
func byGroup(verdicts *nftables.Set) match {
	return match{
		&expr.Meta{Key: expr.MetaKeyIIFGROUP, Register: 1},
		&expr.Lookup{SourceRegister: 1, DestRegister: 0, IsDestRegSet: true, SetName: verdicts.Name, SetID: verdicts.ID},
	}
}

// busy matches packets of a source that has more than so many connections. The set
// counts them.
func busy(set *nftables.Set, is4 bool, most uint32) match {
	return append(family(is4), sourceField(is4), &expr.Dynset{
		SrcRegKey: 1, SetName: set.Name, SetID: set.ID, Operation: unix.NFT_DYNSET_OP_ADD,
		Exprs: []expr.Any{&expr.Connlimit{Count: most, Flags: 1}}, // NFT_CONNLIMIT_F_INV: over, not up to
	})
}

func accept() match { return match{&expr.Verdict{Kind: expr.VerdictAccept}} }

func drop() match { return match{&expr.Verdict{Kind: expr.VerdictDrop}} }

// refuse answers that the way is closed, so that nobody waits.
func refuse() match {
	const prohibited = 3 // NFT_REJECT_ICMPX_ADMIN_PROHIBITED
	return match{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: prohibited}}
}

// masquerade gives packets the address of the interface that they leave by. Ports of
// services are not taken for it, even when the sender has one.
func masquerade() match {
	return match{
		&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(32768)},
		&expr.Immediate{Register: 2, Data: binaryutil.BigEndian.PutUint16(60999)},
		&expr.Masq{ToPorts: true, RegProtoMin: 1, RegProtoMax: 2},
	}
}

// plainMasquerade is for protocols without ports.
func plainMasquerade() match { return match{&expr.Masq{}} }

// clamp holds TCP to segments that fit the way out, where the messages that would say
// so are lost.
func clamp() match {
	return append(protocol(unix.IPPROTO_TCP),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 13, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{0x02}, Xor: []byte{0}}, // SYN
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{0}},
		&expr.Rt{Register: 1, Key: expr.RtTCPMSS},
		&expr.Byteorder{DestRegister: 1, SourceRegister: 1, Op: expr.ByteorderHton, Len: 2, Size: 2},
		&expr.Exthdr{SourceRegister: 1, Type: 2, Offset: 2, Len: 2, Op: expr.ExthdrOpTcpopt})
}

// jumpTo is the element that sends packets of a group to a chain.
func jumpTo(group uint32, chain string) nftables.SetElement {
	return nftables.SetElement{
		Key:         binaryutil.NativeEndian.PutUint32(group),
		VerdictData: &expr.Verdict{Kind: expr.VerdictJump, Chain: chain},
	}
}
