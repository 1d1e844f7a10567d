//! Datagrams which the kernel threw away because a socket's buffer was full.

use std::{
    fs,
    net::UdpSocket,
    os::fd::{AsFd, AsRawFd as _},
};

/// The tables of UDP sockets, for both families.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];

/// The UDP sockets of this process, and what was dropped on them.
#[derive(Debug)]
pub(super) struct Drops {
    inodes: Vec<String>,
    seen: u64,
}

impl Drops {
    /// Watches `sockets`.
    pub(super) fn of(sockets: &[UdpSocket]) -> Self {
        let inode = |socket: &UdpSocket| {
            let link = format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd());
            let target = fs::read_link(link).ok()?;
            let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            Some(inode.to_owned())
        };
        Self { inodes: sockets.iter().filter_map(inode).collect(), seen: 0 }
    }

    /// What was dropped since the last time; nothing where the system does not tell.
    pub(super) fn read(&mut self) -> u64 {
        if self.inodes.is_empty() {
            return 0;
        }
        let tables = TABLES.iter().filter_map(|path| fs::read_to_string(path).ok());
        let total: u64 = tables.map(|table| dropped(&table, &self.inodes)).sum();
        let new = total.saturating_sub(self.seen);
        self.seen = self.seen.max(total);
        new
    }
}

/// The last column of a socket's line is what was dropped, the tenth its inode.
fn dropped(table: &str, inodes: &[String]) -> u64 {
    let line = |line: &str| {
        let mut fields = line.split_whitespace();
        let inode = fields.nth(9)?;
        let drops = fields.last()?.parse::<u64>().ok()?;
        inodes.iter().any(|ours| ours == inode).then_some(drops)
    };
    table.lines().skip(1).filter_map(line).sum()
}

#[cfg(test)]
mod tests {
    use super::dropped;

    #[test]
    fn drops_are_those_of_our_sockets() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            1: 0100007F:23A5 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 17\n\
            2: 00000000:23A6 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 5\n";
        assert_eq!(dropped(table, &["4711".to_owned()]), 17);
        assert_eq!(dropped(table, &["1".to_owned()]), 0);
        assert_eq!(dropped("", &["4711".to_owned()]), 0);
    }
}
