# Failing allocations while the configuration is read: nginx says so and
# ends, or goes on with the configuration that it has.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use Oom;
use Test::More;


my ($private, $public) = keypair();
my $shards = 2;

my $http = '
    oom_conf;
    codat_zone zone=main:1m dedupe=1h retain=2d;
    codat_zone zone=other:1m;
    codat_credential signature ' . new_secret() . ';
    codat_satisfy any;
    codat_tolerance 10m;
    codat_format small type=application/json
        \'{"key":"$codat_push_key",\' \'"tag":"$codat_tag_region"}\';
    codat_format plain escape=none "$codat_payload";
    codat_lookup $push_status zone=main push $arg_key status;
    codat_lookup $company zone=main company $arg_company id;
    map $push_status $known { "" no; default yes; }
    log_format codat "$codat_event_type $known";
    codat_log_level warn;
    codat_forward_timeout 5s;
    codat_wait 10s;
';
my $server = '
    location /hook {
        codat_webhook zone=main;
        codat_credential signature file:{{prefix}}/conf/secrets;
        codat_credential signature ' . $public . ';
        codat_credential signature $http_x_secret;
        codat_credential basic user:password;
        codat_credential bearer file:{{prefix}}/conf/tokens;
        codat_credential header X-Key $arg_key;
        codat_client one two;
        codat_forward connection.* /app/a;
        codat_forward *.write.*,read.* /app/$codat_data_type?k=$codat_push_key
                      format=raw if=$codat_push_key optional;
        codat_forward * @app format=small;
        codat_forward * /app/plain format=plain;
    }
    location = /open { codat_webhook zone=other; codat_credential none; }
    location /codat/ { codat_status zone=main; }
    location /app/ { return 204; }
    location @app { return 204; }
';

sub files {
    my $nginx = shift;

    $nginx->file('conf/secrets', join("\n", '# two', new_secret(),
                                      new_secret()) . "\n");
    $nginx->file('conf/tokens', "one\ntwo\n");
}


# --- nginx -t: a process for each allocation, which ends with status 1

my @children;

for my $shard (1 .. $shards) {
    my $nginx = CodatTest::Nginx->new(level => 'notice',
        conf => { http => $http, server => $server });
    files($nginx);
    $nginx->_write_conf;

    # what a process has left when it ends so is no leak, and looking for it
    # in each would take minutes
    local $ENV{ASAN_OPTIONS} = ($ENV{ASAN_OPTIONS} // '') . ':detect_leaks=0';
    local $ENV{OOM_CONF} = "$shard:$shards";
    my $pid = open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>/dev/null', 'sh',
                   $nginx->_command('-t')) // die "nginx: $!\n";
    push @children, [$nginx, $out];
}

for my $child (@children) {
    my ($nginx, $out) = @$child;
    my ($end, $n, %how) = (0, 0);

    while (<$out>) {
        $end = $1, last if /^end (\d+)/;
        my ($number, $said) = /^(\d+) (.*)$/ or next;
        $n++;
        push @{$how{$said}}, $number;
    }
    close($out);

    # the last one was not reached
    my $good = pop @{$how{'exit 0'} // []};
    is($good, $end, 'without a failure the configuration is good');
    cmp_ok($n, '>', 200, "nginx -t: $n of $end allocations failed");

    # what does not matter, such as the size of a cache
    note('tolerated: ', join(' ', @{$how{'exit 0'} // []}));
    delete @how{'exit 0', 'exit 1'};
    is(join('; ', map { "$_: @{$how{$_}}" } sort keys %how), '',
       'no other end than an error');
    no_bad_log($nginx->error_log(all => 1),
               except => qr/ \[emerg\] | \[crit\].*(?:malloc|Cannot\ allocate)
                           | failed\ \(12:|failed\ (?:error:|,|$)
                           | \[alert\].*could\ not\ be\ removed /x);
}


done_testing();
