//! The prompt at a terminal: keys, as a person presses them on a pseudo-terminal.

use std::path::Path;
use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

/// Starts the prompt in a folder with a script and a table; histories are apart.
fn prompt() -> (tempfile::TempDir, PtySession) {
    let folder = tempfile::tempdir().unwrap();
    crate::broken::copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken/base"), folder.path());
    let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
    command.arg("repl").current_dir(folder.path());
    command.env("TERM", "xterm").env_remove("NO_COLOR").env("XDG_STATE_HOME", folder.path().join("state"));
    let mut session = spawn_command(command, Some(20_000)).unwrap();
    session.exp_string("barrage> ").unwrap();
    (folder, session)
}

fn press(session: &mut PtySession, keys: &str) {
    session.send(keys).unwrap();
    session.flush().unwrap();
}

#[test]
fn an_entry_goes_on_until_its_brackets_are_closed() {
    let (_folder, mut session) = prompt();
    session.send_line("fn double(x) {").unwrap();
    session.send_line("2 * x").unwrap();
    session.send_line("}").unwrap();
    // The end of the entry, then the next prompt.
    session.exp_string("\u{1b}[?2004l").unwrap();
    session.exp_string("barrage> ").unwrap();
    session.send_line("double(2100) + 11").unwrap();
    session.exp_string("4211").unwrap();
}

#[test]
fn tab_completes_names_fields_and_files() {
    let (_folder, mut session) = prompt();
    session.send_line("let leaves = read_records(\"train.csv\");").unwrap();
    session.exp_string("barrage> ").unwrap();
    press(&mut session, "lea\t");
    session.exp_string("leaves").unwrap();
    press(&mut session, "[0].wid\t");
    session.exp_string("width").unwrap();
    press(&mut session, " * 0.0 + 4200.5\r");
    session.exp_string("\n4200.5").unwrap();
    session.exp_string("barrage> ").unwrap();
    press(&mut session, "read_records(\"vali\t");
    session.exp_string("validation.csv").unwrap();
    press(&mut session, "\").columns\r");
    session.exp_string("\n[\"length\", \"width\", \"kind\"").unwrap();
    session.exp_string("barrage> ").unwrap();
    // Several that fit are listed.
    press(&mut session, "tensor([1.0]).argm\t\t");
    session.exp_string("argmax(").unwrap();
}

#[test]
fn ctrl_c_stops_a_script_each_time_and_not_the_prompt() {
    let (_folder, mut session) = prompt();
    for number in 0..3 {
        session.send_line(&format!("print(\"beg\" + \"un {number}\"); loop {{}}")).unwrap();
        session.exp_string(&format!("begun {number}")).unwrap();
        session.send_control('c').unwrap();
        session.exp_string("interrupted").unwrap();
        session.exp_string("barrage> ").unwrap();
    }
    session.send_line("4200 + 11").unwrap();
    session.exp_string("4211").unwrap();
}

#[test]
fn ctrl_c_throws_a_line_away() {
    let (_folder, mut session) = prompt();
    press(&mut session, "let x = 4211; (");
    session.send_control('c').unwrap();
    session.exp_string("barrage> ").unwrap();
    session.send_line("x").unwrap();
    session.exp_string("`x`").unwrap();
    session.exp_string("barrage> ").unwrap();
}

#[test]
fn the_arrow_brings_entries_back_in_the_next_session_too() {
    let (folder, mut session) = prompt();
    session.send_line("4200 + 11").unwrap();
    session.exp_string("4211").unwrap();
    press(&mut session, "\x1b[A\x7f2\r");
    session.exp_string("4212").unwrap();
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
    command
        .arg("repl")
        .current_dir(folder.path())
        .env("TERM", "xterm")
        .env("XDG_STATE_HOME", folder.path().join("state"));
    let mut session = spawn_command(command, Some(20_000)).unwrap();
    session.exp_string("barrage> ").unwrap();
    press(&mut session, "\x1b[A0\r");
    session.exp_string("4320").unwrap();
}

#[test]
fn an_error_is_shown_and_ctrl_d_leaves() {
    let (_folder, mut session) = prompt();
    session.send_line("undefined_name + 1").unwrap();
    session.exp_string("`undefined_name`").unwrap();
    session.exp_string("barrage> ").unwrap();
    session.send_control('d').unwrap();
    session.exp_eof().unwrap();
    let status = format!("{:?}", session.process().wait().unwrap());
    assert!(status.starts_with("Exited(") && status.ends_with(", 0)"), "{status}");
}

#[test]
fn images_and_curves_are_drawn() {
    let (_folder, mut session) = prompt();
    session.send_line("full([16, 16], 0.5)").unwrap();
    // Two gray pixels in one character.
    session.exp_string("\x1b[38;2;128;128;128m\x1b[48;2;128;128;128m").unwrap();
    session.send_line("range(0, 20)").unwrap();
    session.exp_string("\n19 ").unwrap();
}

#[test]
fn a_run_of_a_pipeline_has_a_bar_at_a_terminal_and_draws_nothing_elsewhere() {
    let (folder, mut session) = prompt();
    session.send_line("let p = dataset(6).pipeline().update(V(\"n\", \"a\"), |b| b.len);").unwrap();
    session.exp_string("\u{1b}[?2004l").unwrap();
    session.exp_string("barrage> ").unwrap();
    session.send_line("p.run(2, #{ bar: \"six\", monitors: [\"n\"] }).v(\"n\")").unwrap();
    session.exp_string("six 3 batches  n 2").unwrap();
    session.exp_string("[2, 2, 2]").unwrap();
    let script =
        "let p = dataset(6).pipeline(); p.run(2, #{ bar: true, monitors: #{ size: |b| b.len } }); print(\"done\");";
    std::fs::write(folder.path().join("bar.rhai"), script).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_barrage"));
    let output = command.arg("run").arg("bar.rhai").current_dir(folder.path()).output().unwrap();
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!((shown(&output.stdout), shown(&output.stderr)), ("done\n".to_owned(), String::new()));
}

#[test]
fn what_is_typed_ahead_is_not_lost() {
    let (_folder, mut session) = prompt();
    // Several lines at once, as they are pasted.
    press(&mut session, "let x = 4200;\rx + 11\rx + 22\r");
    session.exp_string("\n4211").unwrap();
    session.exp_string("\n4222").unwrap();
    // While an entry runs: whole lines, and the beginning of one.
    press(&mut session, "print(\"beg\" + \"un\"); for i in 0..2000000 { x += i % 2; } x\r");
    session.exp_string("begun").unwrap();
    press(&mut session, "x + 33\rx + ");
    session.exp_string("\n1004200").unwrap();
    session.exp_string("\n1004233").unwrap();
    session.exp_string("barrage> ").unwrap();
    press(&mut session, "44\r");
    session.exp_string("\n1004244").unwrap();
}

#[test]
fn profile_counts_the_calls_of_functions() {
    let (folder, mut session) = prompt();
    std::fs::write(folder.path().join("tools.rhai"), "fn twice(x) { let y = x + x; return y; }\n").unwrap();
    for line in
        ["import \"tools\" as tools;", "fn small(x) { x + 1 }", "fn large(x) { for i in 0..100 { x = small(x); } x }"]
    {
        session.send_line(line).unwrap();
        session.exp_string("\u{1b}[?2004l").unwrap();
        session.exp_string("barrage> ").unwrap();
    }
    session.send_line(":profile let r = large(1) + large(2) + tools::twice(3);").unwrap();
    session.exp_string("alone").unwrap();
    let rest = session.exp_string("barrage> ").unwrap();
    let calls = |name: &str| {
        let line =
            rest.lines().find(|line| line.trim_end().ends_with(name)).unwrap_or_else(|| panic!("{name}: {rest}"));
        line.split_whitespace().rev().nth(1).unwrap().parse::<usize>().unwrap()
    };
    assert_eq!([calls("small"), calls("large"), calls("tools::twice")], [200, 2, 1]);
    session.send_line("r").unwrap();
    session.exp_string("\n209").unwrap();
}

#[test]
fn batches_that_are_left_out_are_told() {
    let (_folder, mut session) = prompt();
    session.send_line("let p = dataset(9).pipeline().exec(|b| if b.iteration > 1 { throw \"no\"; });").unwrap();
    session.exp_string("\u{1b}[?2004l").unwrap();
    session.exp_string("barrage> ").unwrap();
    session.send_line("p.run(1, #{ on_error: \"skip\" });").unwrap();
    session.exp_string("a batch was left out: no (step `exec`)").unwrap();
    session.exp_string("8 batches were left out in all").unwrap();
}
