# tools/codat-prove: what arrives, what is lost on the way, what comes twice or
# late, by the application's log and by the status API.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);


my $secret = new_secret();
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => <<"EOC", server => <<'EOC' });
    codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;
    codat_zone zone=plain:1m;
    codat_credential signature $secret;
    codat_retry 1s;
    log_format proof '\$msec \$http_webhook_id \$status';
    map \$http_webhook_id \$loses { default 1; ~[a-mA-M]\$ 0; }
    map \$http_webhook_id \$twice { default 0; ~[a-mA-M]\$ 1; }
    server {
        listen 127.0.0.1:{{port1}};
        location /all/   { access_log {{prefix}}/app.log proof; return 204; }
        location /loses/ { access_log {{prefix}}/app.log proof if=\$loses;
                           return 204; }
        location /twice/ { access_log {{prefix}}/app.log proof;
                           access_log {{prefix}}/app.log proof if=\$twice;
                           return 204; }
        location /fails/ { access_log {{prefix}}/app.log proof; return 500; }
    }
EOC
    location /codat/ { codat_status zone=codat; }
    location /app/ { internal; proxy_pass http://127.0.0.1:{{port1}}/; }
    location = /all   { codat_webhook zone=codat; codat_forward * /app/all/; }
    location = /loses { codat_webhook zone=codat;
                        codat_forward * /app/loses/; }
    location = /twice { codat_webhook zone=codat;
                        codat_forward * /app/twice/; }
    location = /fails { codat_webhook zone=codat;
                        codat_forward * /app/fails/; }
    location = /sync  { codat_webhook zone=plain; codat_forward * /app/all/; }
    location = /no    { return 503; }
EOC
$nginx->start;

my $log = $nginx->prefix . '/app.log';
my $base = 'http://127.0.0.1:' . $nginx->port;


# (exit status, output) of the program

sub prove {
    my ($program, @args) = @_;

    local $ENV{PERL5OPT} = '';
    open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $^X,
         CodatTest::top() . "/tools/$program", @args) or die "$program: $!\n";
    my $text = join('', <$out>);
    close($out);

    return ($? >> 8, $text);
}


sub by_log { prove('codat-prove', '--secret', $secret, '--log', $log, @_) }
sub by_status { prove('codat-prove', '--secret', $secret,
                      '--status', "$base/codat/", @_) }


subtest 'all arrive' => sub {
    for my $path (qw(all sync)) {
        my ($status, $text) = by_log('--count', 30, "$base/$path");
        is($status, 0, "$path: status") or diag($text);
        like($text, qr/^30 sent in [\d.]+ s, 30 answered 2xx, 0 of all had/,
             'sent');
        like($text, qr/^30 are in \Q$log\E, the latest \d+\.\d s after/m,
             'arrived');
        like($text, qr/^lost\s+0$/m, 'none is lost');
        like($text, qr/^duplicated\s+0$/m, 'none came twice');
        unlike($text, qr/^late/m, 'late only if asked for');
    }

    my ($status, $text) = by_status('--count', 20, "$base/all");
    is($status, 0, 'by the status API: status') or diag($text);
    like($text, qr/^20 are in the status API, the latest/m, 'arrived');
    like($text, qr/^lost\s+0$/m, 'none is lost');

    ($status, $text) = prove('codat-send', '--prove', '--secret', $secret,
                             '--log', $log, '--count', 3, "$base/all");
    is($status, 0, 'codat-send --prove is the same: status');
    like($text, qr/^3 sent/, 'and text');
};


subtest 'some are lost' => sub {
    my ($status, $text) = by_log('--count', 60, '--wait', 3, '--json',
                                 "$base/loses");
    is($status, 1, 'status');
    my $said = JSON::PP::decode_json($text);
    is($said->{answered}, 60, 'answered');
    my %lost = map { $_ => 1 } @{$said->{lost}};
    cmp_ok(scalar keys %lost, '>', 5, 'some are lost');
    is(scalar(grep { !/[a-mA-M]$/ } keys %lost), 0, 'those that are');
    is_deeply($said->{duplicated}, [], 'none came twice');

    ($status, $text) = by_log('--count', 40, '--wait', 3, "$base/loses");
    is($status, 1, 'as text: status');
    like($text, qr/^lost\s+\d+\n\s+msg_\w*[a-mA-M]  answered, and never seen$/m,
         'each is named');
};


subtest 'some come twice' => sub {
    my ($status, $text) = by_log('--count', 60, '--json', "$base/twice");
    is($status, 0, 'status: nothing is lost');
    my $said = JSON::PP::decode_json($text);
    cmp_ok(scalar @{$said->{duplicated}}, '>', 5, 'they are listed');
    is(scalar(grep { !/[a-mA-M]$/ } @{$said->{duplicated}}), 0,
       'those that did');
    is_deeply($said->{lost}, [], 'none is lost');
};


subtest 'some are late' => sub {
    my ($status, $text) = by_log('--count', 5, '--late', 0, "$base/all");
    is($status, 0, 'status');
    like($text, qr/^late\s+5\n\s+msg_\w+  \d\.\d s$/m, 'all, after no time');
    ($status, $text) = by_log('--count', 5, '--late', 30, "$base/all");
    like($text, qr/^late\s+0$/m, 'none, after thirty seconds');
};


subtest 'an application that refuses' => sub {
    my ($status, $text) = by_log('--count', 5, '--wait', 4, "$base/fails");
    is($status, 1, 'by its log: status');
    like($text, qr/^lost\s+5$/m, 'what was refused has not arrived');

    ($status, $text) = by_status('--count', 5, '--wait', 6, "$base/fails");
    is($status, 1, 'by the status API: status');
    like($text, qr/^\s+msg_\w+  dead, answered with status 500$/m, 'and why');
};


subtest 'an endpoint that refuses' => sub {
    my ($status, $text) = by_log('--count', 2, '--patience', 1, "$base/no");
    is($status, 3, 'status');
    like($text, qr/^not answered\s+2\n\s+msg_\w+  status 503$/m, 'and why');

    $nginx->stop;
    ($status, $text) = by_log('--count', 2, '--patience', 1, "$base/all");
    is($status, 3, 'nobody listens: status');
    like($text, qr/^not answered\s+2\n\s+msg_\w+  no answer$/m, 'and why');

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        sleep(1.5);
        exec($^X, '-e', 'exec @ARGV', $nginx->_command);
    }
    ($status, $text) = by_log('--count', 8, "$base/all");
    is($status, 0, 'it comes back: status') or diag($text);
    like($text, qr/^8 sent .* 8 answered 2xx, [48] of all had to be/,
         'what was refused is repeated');
    kill('QUIT', $pid);
    waitpid($pid, 0);
};


subtest 'wrong usage' => sub {
    for (['--log', $log], ["$base/all"],
         ['--log', $log, '--status', $base, "$base/all"],
         ['--log', $log, '--id', 'x', "$base/all"])
    {
        my ($status, $text) = prove('codat-prove', '--secret', $secret, @$_);
        is($status, 2, "@$_");
        like($text, qr/^codat-prove: /, 'says why');
        unlike($text, qr/\Q$secret\E/, 'and not the secret');
    }
};


done_testing;
