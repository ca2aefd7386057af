package CodatTest::Slow;

# slow($seconds): more of them where nginx is run by something that makes it
# slow: CODAT_TEST_SLOW is by how much

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(slow);


sub slow {
    return $_[0] * ($ENV{CODAT_TEST_SLOW} || 1);
}


1;
