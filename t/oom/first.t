# Failing allocations of the first webhook of a worker, which makes what the
# later ones use.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use Oom;
use Test::More;


my $oom = Oom->new(
    http => '',
    server => '
        location = /hook { codat_webhook zone=codat;
                           codat_forward * /app/a; }
        location = /basic { codat_webhook zone=codat;
                            codat_credential basic user:password; }
    ');


$oom->webhook('signed', fresh => 1, once => 1, forwards => ['/app/a']);
$oom->webhook('with a password', fresh => 1, once => 1, uri => '/basic',
              headers => sub {
                  "webhook-id: $_[0]\n"
                      . 'Authorization: ' . basic('user', 'password') . "\n";
              });


$oom->end;
done_testing();
