//! Whose lines are taken, by address.

use std::{net::IpAddr, str::FromStr};

/// Networks; an empty list allows everybody.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct AllowList(Vec<Network>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Network {
    bits: u128,
    mask: u128,
}

impl AllowList {
    /// Whether nobody is kept out.
    pub(crate) const fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is in one of the networks.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        self.is_open() || self.0.iter().any(|network| bits & network.mask == network.bits)
    }
}

/// `10.0.0.0/8, ::1`
impl FromStr for AllowList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
        texts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

fn network(text: &str) -> Result<Network, String> {
    let invalid = || format!("{text:?} is not a network like 10.0.0.0/8 or an address");
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => {
            (address, Some(length.parse::<u32>().map_err(|_error| invalid())?))
        }
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_error| invalid())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length = length.unwrap_or(most);
    if length > most {
        return Err(invalid());
    }
    let mask = u128::MAX.checked_shl(most - length).unwrap_or(0);
    Ok(Network { bits: bits(address) & mask, mask })
}

/// IPv4 as the part of IPv6 that stands for it, which is how sockets for both see it.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::AllowList;

    #[test]
    fn networks_hold_their_addresses() {
        for (list, address, expected) in [
            ("", "192.0.2.1", true),
            ("10.0.0.0/8", "10.200.3.4", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("10.0.0.1, ::1", "::1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "10.0.0.1", false),
            ("::/0", "10.0.0.1", true),
            ("0.0.0.0/0", "10.0.0.1", true),
            ("0.0.0.0/0", "fd00::1", false),
        ] {
            let list: AllowList = list.parse().expect("a list");
            assert_eq!(
                list.allows(address.parse().expect("an address")),
                expected,
                "{list:?} {address}"
            );
        }
        for bad in ["10.0.0.0/33", "10.0.0", "x", "::/129", "10.0.0.0/-1"] {
            assert!(bad.parse::<AllowList>().is_err(), "{bad}");
        }
    }
}
