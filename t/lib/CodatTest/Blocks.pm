package CodatTest::Blocks;

# What the blocks of many Test::Nginx files have in common: webhooks that are
# accepted or refused, and what the log says of them.  A .t begins with
#
#     use lib 't/lib';
#     use Test::Nginx::Socket 'no_plan';
#     use CodatTest;
#     use CodatTest::Blocks;
#
#     webhook_blocks(http => $http, config => $config, secrets => \@secrets);
#
# and may add preprocessors and checks of its own.  Test::Nginx runs first the
# preprocessor that was added last: one behind that call can set sections that
# are then found here.

use strict;
use warnings;

use JSON::PP ();
use Test::More ();

sub import {
    no strict 'refs';
    *{caller() . '::webhook_blocks'} = \&webhook_blocks;
}


# webhook_blocks(%opt) installs the preprocessor and the check, switches the
# master on and sets the log's level to "info".
#
#     http             "--- http_config" of blocks that have none
#     config           "--- config" of blocks that have none
#     secrets          a list of what never may show up in the log
#     suppress_stderr  for "codat_credential none", which warns of itself, on
#                      standard error too
#
# Every answer has to be "application/json", or "application/problem+json"
# where it is a problem, unless "--- response_headers" has a Content-Type.
# The log must not have secrets, [alert], [crit], [emerg] or "open socket"
# unless the block has a "--- no_error_log" of its own, which does not count
# for what is logged when nginx ends.
#
# These sections are ours.  Each has one value for all requests of the block
# or, from "eval", a list of one per request:
#
#     problem     the code with which the request is refused, empty if it is
#                 accepted: the answer's members, its status (that of
#                 "--- error_code") and its title are checked, and that one
#                 line of the log tells the same
#     refused_at  the level of that line, "error" unless said
#     detail      a pattern for the problem's detail
#     logged      a pattern for lines that the log has before that one; other
#                 lines of the module, and of any level above "notice", are
#                 not allowed
#
# Of pipelined requests the log is checked for "logged" only, as it can't be
# told whose lines they are.

sub webhook_blocks {
    my %opt = @_;

    my @quiet = ('[alert]', '[crit]', '[emerg]', 'open socket',
                 @{$opt{secrets}});
    my $logged;

    Test::Nginx::Util::master_on();
    Test::Nginx::Util::log_level('info');

    Test::Nginx::Util::add_block_preprocessor(sub {
        prepare(shift, \@quiet, %opt);
    });

    Test::Nginx::Socket::add_response_body_check(sub {
        my ($block, $body, $n, $repeated) = @_;

        # the log goes on where the next request is sent to the same nginx
        my $more = $n || $repeated || $ENV{TEST_NGINX_USE_HUP};
        (my $lines, $logged) = log_lines($more ? $logged // 0 : 0);

        check($block, $body, $n, @$lines);
    });
}


# of($block, $section, $n): what a section says of a request

sub of {
    my ($block, $section, $n) = @_;
    my $value = $block->$section;

    return ref $value eq 'ARRAY' ? $value->[$n] : $value;
}


sub prepare {
    my ($block, $quiet, %opt) = @_;

    $block->set_value(suppress_stderr => '') if $opt{suppress_stderr};
    $block->set_value(http_config => $opt{http})
        if !defined $block->http_config;
    $block->set_value(config => $opt{config}) if !defined $block->config;
    $block->set_value(no_error_log => $quiet) if !defined $block->no_error_log;
    $block->set_value(no_shutdown_error_log => $quiet);

    my $list = $block->pipelined_requests // $block->request;
    my $requests = ref $list ? @$list : 1;
    my @headers = map {
        my $problem = of($block, 'problem', $_) ? 'problem+' : '';
        my $given = of($block, 'response_headers', $_) // '';
        $given =~ /^Content-Type:/m ? $given
            : "Content-Type: application/${problem}json\n$given";
    } 0 .. $requests - 1;

    $block->set_value(response_headers => $requests > 1 ? \@headers
                                                        : $headers[0]);
}


# log_lines($from): the lines of the error log from there on that say anything
# of webhooks, and where it ends

sub log_lines {
    my $from = shift;

    open(my $log, '<', Test::Nginx::Util::server_root() . '/logs/error.log')
        or die "log: $!\n";
    seek($log, $from, 0);
    my @lines = grep { !/\[(?:info|notice)\]/ || /codat:/ }
        grep { !/"codat_credential none"/ } <$log>;

    return (\@lines, tell($log));
}


sub check {
    my ($block, $body, $n, @lines) = @_;
    my $name = $block->name;
    my $code = of($block, 'problem', $n);

    if (my $expected = of($block, 'logged', $n)) {
        Test::More::ok(@lines && $lines[0] =~ /$expected/,
                       "$name - logged ($n)") or Test::More::diag(@lines);
        shift @lines while @lines && $lines[0] =~ /$expected/;
    }

    if (!$code) {
        Test::More::is(join('', @lines), '', "$name - log ($n)")
            if !$block->pipelined_requests;
        return;
    }

    my $status = of($block, 'error_code', $n);
    my $detail = of($block, 'detail', $n) // '\w';
    my $level = of($block, 'refused_at', $n) // 'error';
    my $json = eval { JSON::PP->new->utf8->decode($body) } // {};
    my $said = $json->{detail} // '';

    Test::More::is_deeply([sort keys %$json], [qw(code detail status title)],
                          "$name - keys ($n)");
    Test::More::is("$json->{status} $json->{code}", "$status $code",
                   "$name - code ($n)");
    Test::More::like($json->{title}, qr/^[A-Z].*\w$/, "$name - title ($n)");
    Test::More::like($said, qr/$detail/, "$name - detail ($n)");

    return if $block->pipelined_requests;

    Test::More::is(scalar @lines, 1, "$name - one line of log ($n)")
        or Test::More::diag(@lines);
    Test::More::like($lines[0] // '',
        qr/\ \[$level\]\ \S+\ \*\d+\ codat:\ webhook\ refused,
           \ code:\ $code,\ \Q$said\E,\ id:\ "/x, "$name - log ($n)");
}

1;
