use super::*;
use proptest::prelude::*;

fn format(name: &str) -> LineFormat {
    LineFormat::new(built_in(name).unwrap().header).unwrap()
}

/// Content, tag and node of a line; `-` for what its format does not have.
fn read(name: &str, line: &str) -> [String; 3] {
    let format = format(name);
    let header = format.read(line.as_bytes()).unwrap_or_else(|| panic!("{name}: {line}"));
    let text = |field: Option<&[u8]>| String::from_utf8(field.unwrap_or(b"-").to_vec()).unwrap();
    [text(Some(header.content)), text(header.alert()), text(header.node)]
}

#[test]
fn alert_tags_nodes_and_messages_are_found() {
    assert_eq!(
        read("bgl", "KERNDTLB 1118 2005.06.11 R30-M0 2005-06-11-19.20 R30-M0 RAS KERNEL FATAL data  TLB error\r"),
        ["data  TLB error", "KERNDTLB", "R30-M0"]
    );
    assert_eq!(
        read("bgl", "- 1118 2005.06.11 R30-M0 2005-06-11-19.20 R30-M0 RAS KERNEL INFO 3 ddr errors"),
        ["3 ddr errors", "-", "R30-M0"]
    );
    assert_eq!(
        read("spirit", "R_HDA_NR 1104 2005.01.01 sn3 Jan 1 02:03:04 sn3/sn3 kernel: hda: drive not ready"),
        ["hda: drive not ready", "R_HDA_NR", "sn3/sn3"]
    );
    assert_eq!(
        read("thunderbird", "- 1131 2005.11.09 dn8 Nov 9 12:01:01 dn8/dn8 crond(pam)[29]: session closed: ok [x]: y"),
        ["session closed: ok [x]: y", "-", "dn8/dn8"]
    );
}

#[test]
fn the_other_systems_headers_are_split_as_published() {
    assert_eq!(read("linux", "Jun 14 15:16:01 box su(pam)[19]: session opened")[0], "session opened");
    assert_eq!(read("linux", "Jun  4 15:16:01 box kernel: Linux version 2.6: x")[0], "Linux version 2.6: x");
    assert_eq!(read("hdfs", "081109 203615 148 INFO dfs.DataNode$X: Receiving block: 7")[0], "Receiving block: 7");
    assert_eq!(read("openssh", "Dec 10 06:55:46 Lab sshd[24200]: Invalid user mia")[0], "Invalid user mia");
    assert_eq!(
        read("hadoop", "2015-10-18 18:01:47,978 INFO [main] org.apache.App: Created app: 5")[0],
        "Created app: 5"
    );
    assert_eq!(
        read("zookeeper", "2015-07-29 17:41:44,747 - INFO  [Peer[myid=1]/0:0:0:2181:Election@774] - Timed out: 3"),
        ["Timed out: 3", "-", "Peer[myid=1]/0"]
    );
    assert_eq!(
        read("openstack", "api.log.1 2017-05-16 00:00:00.008 25746 INFO nova.wsgi [req-3 11 - - -] GET /v2 done")[0],
        "GET /v2 done"
    );
    assert_eq!(
        read("hpc", "134681 node-246 unix.hw state_change.unavailable 1077804742 1 Component State Change"),
        ["Component State Change", "-", "node-246"]
    );
}

#[test]
fn lines_of_another_format_are_none_and_so_are_empty_messages() {
    for (name, line) in [
        ("bgl", ""),
        ("bgl", "- 1 2 3 4 5 6 7 FATAL"),
        ("bgl", "- 1 2 3 4 5 6 7 FATAL \r\n"),
        ("linux", "Jun 14 15:16:01 box last message repeated 2 times"),
        ("hadoop", "java.io.IOException: broken"),
        ("openssh", "Dec 10 06:55:46 Lab cron[24200]: Invalid"),
    ] {
        assert_eq!(format(name).read(line.as_bytes()), None, "{name}: {line}");
    }
    assert_eq!(LineFormat::new("<Content>").unwrap().read(b"  \t"), None);
}

#[test]
fn custom_formats_may_be_plain_or_not() {
    let apache = LineFormat::new(r"\[<Time>\] \[<Level>\] <Content>").unwrap();
    assert_eq!(apache.read(b"[Sun Dec 04] [error] mod_jk bad: 6").unwrap().content, b"mod_jk bad: 6");
    assert!(apache.plan.is_some());
    let mac =
        LineFormat::new(r"<Month>  <Date> <Time> <User> <Component>\[<PID>\]( \(<Address>\))?: <Content>").unwrap();
    assert!(mac.plan.is_none());
    assert_eq!(mac.read(b"Jul 1 09:00 me kernel[0] (0x1): woke").unwrap().content, b"woke");
    assert_eq!(mac.read(b"Jul 1 09:00 me kernel[0]: woke").unwrap().content, b"woke");
    let middle = LineFormat::new("<Time> <Label> <Host> <Content>").unwrap();
    assert_eq!(middle.untagged(b"12:00 ALERT n1 broke\n").as_ref(), b"12:00 n1 broke");
    assert_eq!(middle.read(b"12:00 ALERT n1 broke").unwrap().node, Some(b"n1" as &[u8]));
}

#[test]
fn the_tag_never_shows() {
    let bgl = format("bgl");
    assert_eq!(bgl.untagged(b"KERNDTLB 1 2 3 4\r\n").as_ref(), b"1 2 3 4");
    assert_eq!(bgl.untagged(b"- ").as_ref(), b"");
    assert_eq!(format("linux").untagged(b" as it is \n").as_ref(), b" as it is ");
}

#[test]
fn a_format_that_cannot_be_used_says_why() {
    let why = |header: &str| LineFormat::new(header).unwrap_err().to_string();
    assert!(why("<Date> <Message>").contains("has no <Content>"));
    assert!(why("<A> <A> <Content>").contains("has <A> twice"));
    assert!(why("<A><Content>").contains("nothing between <A>"));
    assert!(why("<A> (<Content>").ends_with("unclosed group"), "{}", why("<A> (<Content>"));
}

proptest! {
    #[test]
    fn splitting_by_hand_agrees_with_the_regular_expression(line in "[ab:\\[\\]@ \t-]{0,24}") {
        let line = trim(line.as_bytes());
        for header in [
            "<A> <B> <Content>",
            r"<Label> <Node> <C>(\[<P>\])?: <Content>",
            "<A> - <B>  <Content>",
            r"<A> \[<Node>:<B>@<C>\] - <Content>",
            r"<Label>: <Content>",
        ] {
            let format = LineFormat::new(header).unwrap();
            let by_hand = format.plan.as_ref().unwrap().read(line);
            prop_assert!(by_hand.is_none() || by_hand == format.read_by_regex(line), "{} on {:?}", header, line);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        for built_in in BUILT_IN {
            let format = LineFormat::new(built_in.header).unwrap();
            let _ = (format.read(&line), format.untagged(&line));
        }
    }
}
